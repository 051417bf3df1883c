import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { repositoryRoot } from "./shared.js";

const addon = join(repositoryRoot, "build", "Release", "persimmon_emulated.node");

/**
 * A `describe` for tests of a GPU that is emulated on the CPU. Call it before anything loads the addon. Where the addon for
 * this was not built (`npm run test:cuda` does) the block is skipped, and a line on stderr says so.
 */
export function onEmulatedGpu(title: string, body: () => void): void {
  const isThere = existsSync(addon);
  if (isThere) process.env.PERSIMMON_ADDON = addon;
  else process.stderr.write(`SKIPPED: ${title}: build/Release/persimmon_emulated.node is not there\n`);
  describe.skipIf(!isThere)(title, body);
}

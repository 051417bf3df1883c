import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { repositoryRoot } from "./shared.js";

/** Whether tests of GPUs want a real one: `PERSIMMON_TEST_GPU=1`, as scripts/check-cuda.mjs sets it. */
export const isGpuReal = process.env.PERSIMMON_TEST_GPU === "1";

/**
 * A `describe` for tests of a GPU: of one that is emulated on the CPU, or with `PERSIMMON_TEST_GPU=1` of that of the machine.
 * Call it before anything loads the addon.
 */
export function onGpu(title: string, body: () => void): void {
  if (isGpuReal) withCudaKernels(title, body);
  else withAddon("persimmon_emulated.node", "npm run test:cuda", title, body);
}

/** A `describe` for tests of the addon that has kernels for real GPUs. */
export function withCudaKernels(title: string, body: () => void): void {
  withAddon("persimmon_cuda.node", "npm run check:cuda-build", title, body);
}

/** Where the addon was not built the block is skipped, and a line on stderr says so. */
function withAddon(file: string, command: string, title: string, body: () => void): void {
  const path = join(repositoryRoot, "build", "Release", file);
  const isThere = existsSync(path);
  if (isThere) process.env.PERSIMMON_ADDON = path;
  else
    process.stderr.write(`SKIPPED: ${title}: build/Release/${file} is not there; \`${command}\` builds it\n`);
  describe.skipIf(!isThere)(title, body);
}

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

/** Root of this repository. */
export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Folder of reference fixtures and data sets beside the repository; it may be absent. */
export const sharedDirectory = join(repositoryRoot, "..", "shared");

/** Path inside `../shared`, or undefined when it is not there. */
export function sharedPath(...parts: string[]): string | undefined {
  const path = join(sharedDirectory, ...parts);
  return existsSync(path) ? path : undefined;
}

/**
 * A `describe` for tests that read `../shared/<path>`. Where the path is absent the whole block is skipped, and a line
 * on stderr says so, because a silent skip looks like a pass.
 *
 * ```ts
 * sharedOrSkip("reference/tokenizer", "tokenizer fixtures", (directory) => { it(…) });
 * ```
 */
export function sharedOrSkip(path: string, title: string, body: (path: string) => void): void {
  const found = sharedPath(path);
  if (found === undefined) {
    process.stderr.write(`SKIPPED: ${title}: ../shared/${path} is not there\n`);
  }
  describe.skipIf(found === undefined)(title, () => body(found ?? join(sharedDirectory, path)));
}

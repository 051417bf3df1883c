import { join } from "node:path";
import { ensureEmulatedAddon } from "./addon.mjs";
import { resultDirectory, runChecks } from "./checks.mjs";
import { lintChecks } from "./lint.mjs";
import { cudaBuild, plainBuild, runNativeTests, sanitizerBuilds } from "./native-tests.mjs";
import { root } from "./paths.mjs";
import { runAttached } from "./run.mjs";

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
function vitest(args) {
  return runAttached(process.execPath, [join(root, "node_modules", "vitest", "vitest.mjs"), "run", ...args]);
}

/**
 * Without arguments every check and test; with any, only vitest with these (`npm test -- test/tokenizer`).
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
export async function test(args) {
  if (args.length > 0) {
    return vitest(args);
  }
  const report = join(resultDirectory, "vitest.json");
  return runChecks("test", [
    ...lintChecks,
    {
      name: "vitest",
      run: () => vitest(["--reporter=default", "--reporter=json", `--outputFile.json=${report}`]),
    },
    { name: plainBuild.name, run: () => runNativeTests(plainBuild) },
  ]);
}

/** @returns {Promise<number>} exit code */
export function lint() {
  return runChecks("lint", lintChecks);
}

/**
 * Kernels for GPUs and the library on top of them, on an emulated GPU.
 * @returns {Promise<number>} exit code
 */
export async function testCuda() {
  await ensureEmulatedAddon();
  return runChecks("cuda", [
    { name: cudaBuild.name, run: () => runNativeTests(cudaBuild) },
    { name: "the library on an emulated GPU", run: () => vitest(["test/cuda"]) },
  ]);
}

/** @returns {Promise<number>} exit code */
export function testWithSanitizers() {
  return runChecks(
    "native-sanitizers",
    sanitizerBuilds.map((build) => ({ name: build.name, run: () => runNativeTests(build) })),
  );
}

import { join } from "node:path";
import { deviceTests, onGpu } from "../check-cuda/device-tests.mjs";
import { resultDirectory, runChecks } from "./checks.mjs";
import { lintChecks } from "./lint.mjs";
import { locked } from "./lock.mjs";
import { ensureNative } from "./native-build.mjs";
import { root } from "./paths.mjs";
import { runAttached } from "./run.mjs";
import { cudaSanitizerBuild, runSanitized, sanitizerBuilds } from "./sanitizers.mjs";

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} exit code
 */
export function vitest(args, env) {
  const script = join(root, "node_modules", "vitest", "vitest.mjs");
  return runAttached(process.execPath, [script, "run", ...args], { env });
}

/**
 * @param {"nativeTests" | "cudaTests"} name
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} exit code
 */
async function nativeTests(name, env) {
  return runAttached(await locked(() => ensureNative(name)), [], { env });
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
    { name: "native tests", run: () => nativeTests("nativeTests") },
  ]);
}

/** @returns {Promise<number>} exit code */
export function lint() {
  return runChecks("lint", lintChecks);
}

/** A race comes to another end in this order of an emulated GPU, and with the multiprocessors of an H100 work is cut into other pieces. */
const backward = { PERSIMMON_CUDA_EMULATOR_BACKWARD: "1", PERSIMMON_CUDA_EMULATOR_MULTIPROCESSORS: "132" };

/**
 * Kernels for GPUs and the library on top of them, on an emulated GPU.
 * @returns {Promise<number>} exit code
 */
export async function testCuda() {
  await locked(() => ensureNative("emulatedAddon"));
  return runChecks("cuda", [
    { name: "native tests of CUDA kernels", run: () => nativeTests("cudaTests") },
    {
      name: "the same on 132 multiprocessors, with threads and blocks from last to first",
      run: () => nativeTests("cudaTests", backward),
    },
    { name: "the library on an emulated GPU", run: () => vitest(["test/cuda"]) },
    {
      name: "fixtures and interventions there",
      // Up to 15 s each where nothing else runs.
      run: () => vitest([...deviceTests, "--testTimeout=120000"], onGpu("persimmon_emulated.node")),
    },
  ]);
}

/** @returns {Promise<number>} exit code */
export function testWithSanitizers() {
  return runAllSanitized("native-sanitizers", sanitizerBuilds);
}

/** @returns {Promise<number>} exit code */
export function testCudaWithSanitizers() {
  return runAllSanitized("cuda-sanitizers", [cudaSanitizerBuild]);
}

/**
 * @param {string} name
 * @param {import("./sanitizers.mjs").SanitizerBuild[]} builds
 */
function runAllSanitized(name, builds) {
  return runChecks(
    name,
    builds.map((build) => ({ name: build.name, run: () => runSanitized(build) })),
  );
}

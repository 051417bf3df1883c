import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ensureCmake } from "./cmake.mjs";
import { root } from "./paths.mjs";
import { step } from "./progress.mjs";
import { runAttached, runLogged, which } from "./run.mjs";

/** @typedef {{ name: string, target: string, directory: string, sanitize: string, env: NodeJS.ProcessEnv }} SanitizerBuild */

const addresses = {
  directory: "native-asan",
  sanitize: "address,undefined",
  env: { UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1", ASAN_OPTIONS: "detect_leaks=1" },
};

/** @type {SanitizerBuild[]} */
export const sanitizerBuilds = [
  {
    name: "native tests (address and undefined behaviour sanitizers)",
    target: "native_tests",
    ...addresses,
  },
  {
    name: "native tests (thread sanitizer)",
    target: "native_tests",
    directory: "native-tsan",
    sanitize: "thread",
    env: { TSAN_OPTIONS: "halt_on_error=1:second_deadlock_stack=1" },
  },
];

/**
 * Not for the thread sanitizer: the emulated GPU is one thread.
 * @type {SanitizerBuild}
 */
export const cudaSanitizerBuild = {
  name: "native tests of CUDA kernels (address and undefined behaviour sanitizers)",
  target: "cuda_tests",
  ...addresses,
};

/**
 * The thread sanitizer cannot place its shadow memory where the kernel randomises addresses with more bits than it
 * expects (Linux 6.6 and newer, with an older runtime); without randomisation it always can.
 * @returns {string[]} what to put before the command
 */
function withoutAddressRandomisation() {
  const setarch = which("setarch");
  if (process.platform !== "linux" || setarch === undefined) {
    return [];
  }
  const works = spawnSync(setarch, ["-R", "true"]).status === 0;
  return works ? [setarch, "-R"] : [];
}

/**
 * Builds the native tests with plain CMake, without Node, in a folder of their own, and runs them on this terminal.
 * @param {SanitizerBuild} build
 * @returns {Promise<number>} exit code of the tests
 */
export async function runSanitized({ name, target, directory, sanitize, env }) {
  const cmake = await ensureCmake();
  const folder = join(root, "build", directory);
  const settings = ["-DPERSIMMON_TESTS=ON", "-DCMAKE_BUILD_TYPE=Release", `-DPERSIMMON_SANITIZE=${sanitize}`];
  await step(`building the ${name}`, async () => {
    await runLogged(cmake, ["-S", root, "-B", folder, ...settings], {
      log: `${directory}-configure`,
      failure: `CMake could not configure the ${name}`,
    });
    await runLogged(
      cmake,
      ["--build", folder, "--target", target, "--parallel", `${availableParallelism()}`],
      { log: `${directory}-build`, failure: `the ${name} do not compile` },
    );
  });
  const prefix = sanitize === "thread" ? withoutAddressRandomisation() : [];
  const [command, ...args] = [...prefix, join(folder, target)];
  return runAttached(command, args, { env });
}

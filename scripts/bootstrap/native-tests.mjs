import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ensureCmake } from "./addon.mjs";
import { root } from "./paths.mjs";
import { step } from "./progress.mjs";
import { runAttached, runLogged, which } from "./run.mjs";

/** @typedef {{ name: string, directory: string, target?: string, sanitize?: string, env?: NodeJS.ProcessEnv }} NativeBuild */

/** @type {NativeBuild} */
export const plainBuild = { name: "native tests", directory: "native-tests" };

/**
 * Kernels for GPUs, compiled for an emulated one.
 * @type {NativeBuild}
 */
export const cudaBuild = {
  name: "native tests of CUDA kernels",
  directory: "native-tests",
  target: "cuda_tests",
};

/** @type {NativeBuild[]} */
export const sanitizerBuilds = [
  {
    name: "native tests (address and undefined behaviour sanitizers)",
    directory: "native-asan",
    sanitize: "address,undefined",
    env: { UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1", ASAN_OPTIONS: "detect_leaks=1" },
  },
  {
    name: "native tests (thread sanitizer)",
    directory: "native-tsan",
    sanitize: "thread",
    env: { TSAN_OPTIONS: "halt_on_error=1:second_deadlock_stack=1" },
  },
];

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
 * Builds the C++ tests with plain CMake, without Node, and runs them on this terminal.
 * @param {NativeBuild} build
 * @returns {Promise<number>} exit code of the tests
 */
export async function runNativeTests({ name, directory, target = "native_tests", sanitize, env }) {
  const cmake = await ensureCmake();
  const folder = join(root, "build", directory);
  const settings = [
    "-DPERSIMMON_TESTS=ON",
    "-DCMAKE_BUILD_TYPE=Release",
    `-DPERSIMMON_SANITIZE=${sanitize ?? ""}`,
  ];
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
  const binary = [join(folder, target), join(folder, "test", target)].find(existsSync);
  if (binary === undefined) {
    throw new Error(`the build made no ${target} in ${folder}`);
  }
  const prefix = sanitize === "thread" ? withoutAddressRandomisation() : [];
  const [command, ...args] = [...prefix, binary];
  return runAttached(command, args, { env });
}

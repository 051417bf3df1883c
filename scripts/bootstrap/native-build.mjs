import { existsSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { checkCompiler, ensureCmake, isCacheOfAnotherFolder } from "./cmake.mjs";
import { BootstrapError } from "./missing-tool.mjs";
import { root } from "./paths.mjs";
import { step } from "./progress.mjs";
import { runLogged } from "./run.mjs";
import { listFiles, whyStale, writeStamp } from "./staleness.mjs";

const buildDirectory = join(root, "build");
const release = join(buildDirectory, "Release");
const sources = join(root, "native");
const tests = join(root, "test", "native");

/**
 * What CMake builds in build/, from the same object files as far as they are the same: `file` in build/Release, CMake's
 * `target` (none: what is built without being named), the folders that it is made of, and what CMake is told beside.
 * @typedef {{ file: string, target?: string, sources: string[], settings?: Record<string, string>, title: string }} Build
 */

/** @satisfies {Record<string, Build>} */
const builds = {
  addon: { file: "persimmon.node", sources: [sources], title: "the native addon" },
  emulatedAddon: {
    file: "persimmon_emulated.node",
    target: "persimmon_emulated",
    sources: [sources, join(tests, "cuda_emulator")],
    title: "the native addon with an emulated GPU",
  },
  cudaAddon: {
    file: "persimmon_cuda.node",
    target: "persimmon_cuda",
    sources: [sources],
    settings: { PERSIMMON_CUDA_TARGETS: "ON" },
    title: "the native addon with CUDA kernels",
  },
  nativeTests: {
    file: "native_tests",
    target: "native_tests",
    sources: [sources, join(tests, "cpp")],
    title: "the native tests",
  },
  cudaTests: {
    file: "cuda_tests",
    target: "cuda_tests",
    sources: [sources, tests],
    title: "the native tests of CUDA kernels",
  },
  gpuTests: {
    file: "gpu_tests",
    target: "gpu_tests",
    sources: [sources, tests],
    settings: { PERSIMMON_CUDA_TARGETS: "ON" },
    title: "the native tests of CUDA kernels for a GPU",
  },
};

/**
 * Builds one of these when a file of its sources or CMakeLists.txt is newer than its last build.
 * @param {keyof typeof builds} name
 * @returns {Promise<string>} the full path of what was built
 */
export async function ensureNative(name) {
  /** @type {Build} */
  const { file, target, sources, settings = {}, title } = builds[name];
  const output = join(release, file);
  const build = {
    files: [...listFiles(sources), join(root, "CMakeLists.txt")],
    base: root,
    stamp: join(release, `.built-${file}`),
    outputs: [output],
  };
  const cache = join(buildDirectory, "CMakeCache.txt");
  const cached = existsSync(cache) ? readFileSync(cache, "utf8") : "";
  // Kernels for GPUs that are there are built on request: they take minutes.
  const cuda = process.env.PERSIMMON_CUDA;
  if (
    whyStale(build) === undefined &&
    (cuda === undefined || cached.includes(`PERSIMMON_CUDA:BOOL=${cuda}`))
  ) {
    return output;
  }
  checkCompiler();
  const cmake = await ensureCmake();
  if (isCacheOfAnotherFolder(cached, root)) {
    rmSync(cache);
    rmSync(join(buildDirectory, "CMakeFiles"), { recursive: true, force: true });
  }
  const started = new Date();
  rmSync(build.stamp, { force: true });
  const all = { ...settings, ...(cuda !== undefined && { PERSIMMON_CUDA: cuda }) };
  const options = ["--cmake-path", cmake, "--config", "Release"];
  options.push(...Object.entries(all).map(([key, value]) => `--CD${key}:BOOL=${value}`));
  await step(`building ${title}`, async () => {
    const cmakeJs = (
      /** @type {string[]} */ args,
      /** @type {string} */ log,
      /** @type {string} */ failure,
    ) =>
      runLogged(
        process.execPath,
        [join(root, "node_modules", "cmake-js", "bin", "cmake-js"), ...args, ...options],
        { log, failure },
      );
    // Each time, because CMake collects the sources when it configures: a new file is built only after that.
    await cmakeJs(["configure"], `${name}-configure`, `CMake could not configure ${title}`);
    const wanted = target === undefined ? [] : ["--target", target];
    await cmakeJs(
      ["build", ...wanted, "--parallel", `${availableParallelism()}`],
      buildLog(name),
      `could not build ${title}`,
    );
  });
  if (!existsSync(output)) {
    throw new BootstrapError(
      `the build finished without an error, but ${output} is not there; see build/logs`,
    );
  }
  writeStamp(build, started);
  return output;
}

/**
 * @param {keyof typeof builds} name
 * @returns {string} of its last build, the name in build/logs without `.log`
 */
export function buildLog(name) {
  return `${name}-build`;
}

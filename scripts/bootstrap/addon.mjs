import { existsSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { BootstrapError, missingToolMessage } from "./missing-tool.mjs";
import { root } from "./paths.mjs";
import { step } from "./progress.mjs";
import { installInVenv, inVenv } from "./python.mjs";
import { query, runLogged, which } from "./run.mjs";
import { listFiles, whyStale, writeStamp } from "./staleness.mjs";

const buildDirectory = join(root, "build");
const binary = join(buildDirectory, "Release", "persimmon.node");
/** The addon of the tests whose GPU is emulated. */
export const emulatedBinary = join(buildDirectory, "Release", "persimmon_emulated.node");

/**
 * Whether this is what `cmake --version` prints for a CMake that reads our CMakeLists.txt (3.15 or newer).
 * @param {string | undefined} version such as `cmake version 3.25.1`
 * @returns {boolean}
 */
export function isCmakeSupported(version) {
  const match = /^cmake version (\d+)\.(\d+)/.exec(version ?? "");
  return match !== null && (Number(match[1]) > 3 || (Number(match[1]) === 3 && Number(match[2]) >= 15));
}

/**
 * A CMake that is new enough: the machine's, or one from pip in our own `.venv`.
 * @returns {Promise<string>}
 */
export async function ensureCmake() {
  for (const candidate of [which("cmake"), inVenv("cmake")]) {
    if (candidate !== undefined && isCmakeSupported(query(candidate, ["--version"]))) {
      return candidate;
    }
  }
  try {
    await installInVenv(["cmake"], "to install CMake, which builds the native addon");
  } catch (error) {
    const message = missingToolMessage("cmake", "to build the native addon");
    throw new BootstrapError(
      `${message}\nInstalling it with pip into .venv failed too. ${/** @type {Error} */ (error).message}`,
    );
  }
  const installed = inVenv("cmake");
  if (installed === undefined) {
    throw new BootstrapError(missingToolMessage("cmake", "to build the native addon"));
  }
  return installed;
}

function checkCompiler() {
  const compilers = [process.env.CXX, "c++", "g++", "clang++"].filter(
    (name) => name !== undefined && name !== "",
  );
  const compiler = compilers.find((name) => (name?.includes("/") ? existsSync(name) : which(name ?? "")));
  if (compiler === undefined || (which("make") === undefined && which("ninja") === undefined)) {
    throw new BootstrapError(missingToolMessage("compiler", "to build the native addon"));
  }
}

/**
 * CMake refuses a cache that was written for another folder, as after the repository was moved or copied.
 * @param {string} cache content of CMakeCache.txt
 * @param {string} source folder of CMakeLists.txt
 * @returns {boolean}
 */
export function isCacheOfAnotherFolder(cache, source) {
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(cache)?.[1];
  return home !== undefined && home !== source;
}

/**
 * The addon, or the one of the tests whose GPU is emulated.
 * @type {Record<string, { binary: string, stamp: string, sources: string[], title: string, target: string[] }>}
 */
const addons = {
  plain: {
    binary,
    stamp: ".built",
    sources: [join(root, "native")],
    title: "building the native addon",
    target: [],
  },
  emulated: {
    binary: emulatedBinary,
    stamp: ".built-emulated",
    sources: [join(root, "native"), join(root, "test", "native", "cuda_emulator")],
    title: "building the native addon with an emulated GPU",
    target: ["--target", "persimmon_emulated"],
  },
};

/** Builds the native addon when a file of native/ or CMakeLists.txt is newer than the last build. */
export function ensureAddon() {
  return ensure("plain");
}

/** The same for the addon of `npm run test:cuda`. */
export function ensureEmulatedAddon() {
  return ensure("emulated");
}

/** @param {"plain" | "emulated"} kind */
async function ensure(kind) {
  const { binary, stamp, sources, title, target } = addons[kind];
  const lists = join(root, "CMakeLists.txt");
  const build = {
    files: [...listFiles(sources), lists],
    base: root,
    stamp: join(dirname(binary), stamp),
    outputs: [binary],
  };
  const cache = join(buildDirectory, "CMakeCache.txt");
  const cached = existsSync(cache) ? readFileSync(cache, "utf8") : "";
  // Kernels for GPUs that are there are built on request: they take minutes.
  const cuda = process.env.PERSIMMON_CUDA;
  if (
    whyStale(build) === undefined &&
    (cuda === undefined || cached.includes(`PERSIMMON_CUDA:BOOL=${cuda}`))
  ) {
    return;
  }
  checkCompiler();
  const cmake = await ensureCmake();
  if (isCacheOfAnotherFolder(cached, root)) {
    rmSync(cache);
    rmSync(join(buildDirectory, "CMakeFiles"), { recursive: true, force: true });
  }
  const started = new Date();
  rmSync(build.stamp, { force: true });
  const cmakeJs = join(root, "node_modules", "cmake-js", "bin", "cmake-js");
  const options = ["--cmake-path", cmake, "--config", "Release"];
  if (cuda !== undefined) options.push(`--CDPERSIMMON_CUDA:BOOL=${cuda}`);
  await step(title, async () => {
    // Each time, because CMake collects the sources when it configures: a new file is built only after that.
    await runLogged(process.execPath, [cmakeJs, "configure", ...options], {
      log: "addon-configure",
      failure: "CMake could not configure the native addon",
    });
    await runLogged(
      process.execPath,
      [cmakeJs, "build", ...options, ...target, "--parallel", `${availableParallelism()}`],
      { log: "addon-build", failure: "the native addon does not compile" },
    );
  });
  if (!existsSync(binary)) {
    throw new BootstrapError(
      `the build finished without an error, but ${binary} is not there; see build/logs`,
    );
  }
  writeStamp(build, started);
}

import { existsSync } from "node:fs";
import { BootstrapError, missingToolMessage } from "./missing-tool.mjs";
import { installInVenv, inVenv } from "./python.mjs";
import { query, which } from "./run.mjs";

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

/** @throws BootstrapError with what to install where there is no C++ compiler, or neither make nor ninja */
export function checkCompiler() {
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

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ensureCmake } from "../bootstrap/cmake.mjs";
import { root } from "../bootstrap/paths.mjs";
import { step } from "../bootstrap/progress.mjs";
import { query, runLogged, which } from "../bootstrap/run.mjs";

const release = join(root, "build", "Release");
export const gpuTests = join(release, "gpu_tests");

/**
 * Kernels, tests and addon by plain CMake: cmake-js, which builds the addon elsewhere, would look for Node's headers in the
 * network.
 * @returns {Promise<import("../bootstrap/summary.mjs").Totals>}
 */
export async function buildForGpu() {
  const cmake = await ensureCmake();
  const folder = join(root, "build", "gpu");
  const settings = {
    CMAKE_BUILD_TYPE: "Release",
    CMAKE_LIBRARY_OUTPUT_DIRECTORY: release,
    CMAKE_JS_VERSION: "none",
    PERSIMMON_CUDA_TARGETS: "ON",
    PERSIMMON_CUDA_ARCHITECTURES: architectures(),
  };
  const generator = which("ninja") === undefined ? [] : ["-G", "Ninja"];
  await step(`building kernels for ${settings.PERSIMMON_CUDA_ARCHITECTURES}`, async () => {
    const options = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
    await runLogged(cmake, ["-S", root, "-B", folder, ...generator, ...options], {
      log: "gpu-configure",
      failure: "CMake could not configure the CUDA kernels",
    });
    const targets = ["--target", "gpu_tests", "persimmon_cuda"];
    await runLogged(cmake, ["--build", folder, ...targets, "--parallel", `${availableParallelism()}`], {
      log: "gpu-build",
      failure: "the CUDA kernels, or what is linked with them, do not build",
    });
  });
  const missing = [gpuTests, join(release, "persimmon_cuda.node")].filter((file) => !existsSync(file));
  if (missing.length > 0)
    throw new Error(`the build ended without an error and without ${missing.join(", ")}`);
  return { passed: 1, failed: 0, skipped: 0, failures: [] };
}

/** @returns {string} that of the card alone, which is quickest, or where there is none those that are built for anyway */
function architectures() {
  const capability = query("nvidia-smi", ["--query-gpu=compute_cap", "--format=csv,noheader"])?.split(
    "\n",
  )[0];
  return capability === undefined ? "80-real;90" : `${capability.trim().replace(".", "")}-real`;
}

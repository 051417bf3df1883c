import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * For a GPU, has the library load the addon of `npm run check:cuda-build` where that is there: the usual one may have no kernels.
 * To be called before anything loads the addon.
 */
export function takeKernels(device) {
  const withKernels = join(import.meta.dirname, "..", "..", "build", "Release", "persimmon_cuda.node");
  if (device === "cuda" && existsSync(withKernels)) process.env.PERSIMMON_ADDON ??= withKernels;
}

/** A device as results name it: what computed, and what multiplied many rows. */
export function deviceText({ gpu }) {
  if (gpu === undefined) return "CPU";
  return `${gpu.name}, ${gpu.cublasLt === undefined ? "own products" : `cuBLASLt ${gpu.cublasLt}`}`;
}

// What the addon says of a GPU.

/** A GPU as CUDA describes it. */
export interface NativeGpu {
  name: string;
  /** Compute capability: 9 and 0 for an H100. */
  major: number;
  minor: number;
  multiprocessors: number;
  totalBytes: number;
  /** Of all processes together. */
  freeBytes: number;
  /** Version of the cuBLASLt that multiplies many rows, "13.1.1"; undefined where the library's own kernels do. */
  cublasLt: string | undefined;
}

/** What a GPU was given so far. */
export interface GraphCounts {
  captured: number;
  /** Of those captured: how many only changed a graph that was no longer needed. */
  updated: number;
  launched: number;
  /** Kernels, and copies and fills inside of the GPU, in the graphs that were launched. */
  nodes: number;
  /** Kernels, and copies and fills inside of the GPU, that were launched outside of graphs. */
  alone: number;
  /** Copies from the host to the GPU, and from there to the host. */
  copiesIn: number;
  copiesOut: number;
}

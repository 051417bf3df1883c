import type { StoredDType } from "./dtype.js";

/** A tensor as a weight file declares it: row-major little-endian elements at a place in a file. */
export interface StoredTensor {
  name: string;
  dtype: StoredDType;
  shape: number[];
  /** Path of the file that holds the bytes. */
  file: string;
  /** Where the first element lies in `file`. */
  byteOffset: number;
  /** Bytes of all elements: product of the shape times the element size, whatever the strides. */
  byteLength: number;
  /**
   * Distance of neighbours along each dimension, in elements. Absent (the rule) when the elements lie densely in
   * row-major order; where it is there, the bytes must be gathered (see `readTensor`).
   */
  strides?: number[];
  /**
   * Where the tensor is split over files, as tensor parallelism does: its parts in order along the axis `joinedAlong`.
   * `file` and `byteOffset` are those of the first.
   */
  parts?: StoredTensor[];
  /** 0, one part after the other, or 1, side by side in each row. */
  joinedAlong?: 0 | 1;
}

/** Whether the bytes of a tensor lie in its file as they are wanted, so that the file can be mapped. */
export function isDense(tensor: StoredTensor): boolean {
  return tensor.strides === undefined && tensor.parts === undefined;
}

/** Bytes in the file from the first element to the end of the last one; more than `byteLength` only with strides. */
export function byteSpan(tensor: StoredTensor): number {
  if (tensor.strides === undefined || tensor.byteLength === 0) return tensor.byteLength;
  const elements = tensor.shape.reduce((product, size) => product * size, 1);
  const last = tensor.shape.reduce((sum, size, axis) => sum + (size - 1) * tensor.strides![axis], 0);
  return (last + 1) * (tensor.byteLength / elements);
}

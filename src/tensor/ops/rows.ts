import type { Tensor } from "../tensor.js";

/** A tensor seen as rows along its last axis; a tensor without axes is one row of one number. */
export function rowsAndWidth(x: Tensor): [rows: number, width: number] {
  const width = x.shape[x.shape.length - 1] ?? 1;
  return [x.shape.slice(0, -1).reduce((product, size) => product * size, 1), width];
}

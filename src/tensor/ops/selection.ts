import { PersimmonError } from "../../errors.js";
import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectFloat32, expectTensor } from "./check.js";
import { rowsAndWidth } from "./rows.js";

/**
 * The k largest numbers of each row in descending order, and where they stand. Equal numbers come in order of their
 * index; NaN comes before all others, as in PyTorch.
 * @param x [rows, width]
 * @param k from 0 to width, else `ARGUMENT_INVALID`
 * @returns values [rows, k] and indices [rows, k] int32
 */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  expectTensor("topK", "x", x, [undefined, undefined]);
  const [rows, width] = x.shape;
  expectRank("topK", k, width);
  const values = Tensor.empty(x.device, [rows, k]);
  const indices = Tensor.empty(x.device, [rows, k], "int32");
  native().topK(x.device.stream, values.buffer, indices.buffer, x.buffer, rows, width, k);
  return { values, indices };
}

/**
 * x with 0 in place of all but the k largest numbers along the last axis, as `topK` chooses them: of equal numbers the
 * first are kept (the k-sparse activation of Makhzani & Frey 2013, "k-Sparse Autoencoders").
 * @param k from 0 to the last axis of x, else `ARGUMENT_INVALID`
 */
export function keepTopK(x: Tensor, k: number): Tensor {
  expectFloat32("keepTopK", "x", x);
  const [rows, width] = rowsAndWidth(x);
  expectRank("keepTopK", k, width);
  const out = Tensor.empty(x.device, x.shape);
  native().keepTopK(x.device.stream, out.buffer, x.buffer, rows, width, k);
  return out;
}

/**
 * Columns by index, the same for all rows: [..., width] → [..., count].
 * @param indices [count] int32, from 0 to below width; any other gives NaN
 */
export function gather(x: Tensor, indices: Tensor): Tensor {
  expectFloat32("gather", "x", x);
  expectTensor("gather", "indices", indices, [undefined], ["int32"]);
  const [rows, width] = rowsAndWidth(x);
  const [count] = indices.shape;
  const out = Tensor.empty(x.device, [...x.shape.slice(0, -1), count]);
  native().gather(x.device.stream, out.buffer, x.buffer, indices.buffer, rows, width, count);
  return out;
}

function expectRank(op: string, k: unknown, width: number): asserts k is number {
  if (Number.isInteger(k) && (k as number) >= 0 && (k as number) <= width) return;
  throw new PersimmonError(
    "ARGUMENT_INVALID",
    `ops.${op}: k must be a whole number from 0 to ${width}, the numbers of a row, got ${String(k)}`,
  );
}

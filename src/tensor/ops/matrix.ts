import { PersimmonError } from "../../errors.js";
import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectFloat32, expectNumber, expectTensor, matrixDTypes, weightDTypes } from "./check.js";
import { rowsAndWidth } from "./rows.js";

/**
 * Rows of a table by id.
 * @param table [rows, hidden], float32, bfloat16, int8 or int4
 * @param ids [tokens] int32; an id outside the table gives a row of NaN
 * @returns [tokens, hidden]
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  expectTensor("embedding", "table", table, [undefined, undefined], matrixDTypes);
  expectTensor("embedding", "ids", ids, [undefined], ["int32"]);
  const [rows, hidden] = table.shape;
  const [tokens] = ids.shape;
  const out = Tensor.empty(table.device, [tokens, hidden]);
  const { stream } = table.device;
  // Scaled numbers by inputs are the one order that the kernel does not read.
  const [elements, scales] = table.isColumnMajor
    ? [table.buffer, null]
    : [table.memory, table.scales ?? null];
  native().embedding(stream, out.buffer, elements, scales, ids.buffer, tokens, hidden, rows);
  return out;
}

/**
 * x · weightᵀ + bias, accumulated in float32. A row of the result depends on its row of x only, to the last bit: not on
 * the other rows nor on the number of threads. With a column-major weight (`weight.toColumnMajor()`) what belongs to zeros
 * of x is not read, up to 32 rows; the results differ from those of a row-major one in rounding only.
 * @param x [rows, inFeatures]
 * @param weight [outFeatures, inFeatures], float32, bfloat16 (widened exactly), int8 (`weight.toInt8()`) or int4 (`weight.toInt4()`).
 *   int8 and int4 take x rounded to 8 bits, with a scale for each 32 of a row; an infinite x gives NaN there.
 * @param bias [outFeatures]
 * @returns [rows, outFeatures]
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  expectTensor("linear", "weight", weight, [undefined, undefined], matrixDTypes);
  const [outFeatures, inFeatures] = weight.shape;
  expectTensor("linear", "x", x, [undefined, inFeatures]);
  if (bias !== undefined) expectTensor("linear", "bias", bias, [outFeatures], weightDTypes);
  const [rows] = x.shape;
  const out = Tensor.empty(x.device, [rows, outFeatures]);
  const kernel = weight.isColumnMajor ? native().linearByInput : native().linear;
  kernel(
    x.device.stream,
    out.buffer,
    x.buffer,
    weight.memory,
    weight.scales ?? null,
    bias?.buffer ?? null,
    rows,
    inFeatures,
    outFeatures,
  );
  return out;
}

/**
 * x · weightᵀ + bias for the outputs that a gate leaves open, and 0 for the others, whose rows of the weight are not read in up
 * to 8 rows of x. An open output has the bits of `linear` (on AMX: those of `linear` without AMX). In front of a squared ReLU,
 * with a gate from a smaller copy of the weight, this reads a tenth of the matrix (Deja Vu, 2310.17157; `predictZeros`).
 * @param x [rows, inFeatures]
 * @param weight [outFeatures, inFeatures], float32 or bfloat16, row-major
 * @param bias [outFeatures] or undefined
 * @param gate [rows, outFeatures]; open where it is above zero or not a number
 * @returns [rows, outFeatures]
 */
export function linearWhere(x: Tensor, weight: Tensor, bias: Tensor | undefined, gate: Tensor): Tensor {
  expectTensor("linearWhere", "weight", weight, [undefined, undefined], weightDTypes);
  const [outFeatures, inFeatures] = weight.shape;
  expectTensor("linearWhere", "x", x, [undefined, inFeatures]);
  if (bias !== undefined) expectTensor("linearWhere", "bias", bias, [outFeatures], weightDTypes);
  const [rows] = x.shape;
  expectTensor("linearWhere", "gate", gate, [rows, outFeatures]);
  const out = Tensor.empty(x.device, [rows, outFeatures]);
  native().linearWhere(
    x.device.stream,
    out.buffer,
    x.buffer,
    weight.buffer,
    bias?.buffer ?? null,
    gate.buffer,
    rows,
    inFeatures,
    outFeatures,
  );
  return out;
}

/**
 * LayerNorm over the last axis: (x − mean) / sqrt(variance + epsilon) · weight + bias, with the biased variance.
 * @param weight as long as the last axis of x
 * @param bias likewise
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  expectFloat32("layerNorm", "x", x);
  const [rows, width] = rowsAndWidth(x);
  expectTensor("layerNorm", "weight", weight, [width], weightDTypes);
  expectTensor("layerNorm", "bias", bias, [width], weightDTypes);
  const out = Tensor.empty(x.device, x.shape);
  if (x.size === 0) return out;
  const stream = x.device.stream;
  native().layerNorm(
    stream,
    out.buffer,
    x.buffer,
    weight.buffer,
    bias.buffer,
    rows,
    width,
    Math.fround(epsilon),
  );
  return out;
}

/**
 * Root mean square normalisation over the last axis: x / sqrt(mean(x²) + epsilon) · weight (Zhang & Sennrich 2019, "Root
 * Mean Square Layer Normalization").
 * @param weight as long as the last axis of x, float32 or bfloat16
 */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  expectFloat32("rmsNorm", "x", x);
  const [rows, width] = rowsAndWidth(x);
  expectTensor("rmsNorm", "weight", weight, [width], weightDTypes);
  expectNumber("rmsNorm", "epsilon", epsilon);
  const out = Tensor.empty(x.device, x.shape);
  native().rmsNorm(x.device.stream, out.buffer, x.buffer, weight.buffer, rows, width, epsilon);
  return out;
}

/**
 * The product of two activations in float32: [m, k] · [k, n] → [m, n], or for each of a batch
 * [batch, m, k] · [batch, k, n] → [batch, m, n]. A row of the result depends on its row of `a` and on `b` only, to the last
 * bit. For weights as a checkpoint stores them, `linear` is the faster one. Throws `SHAPE_MISMATCH`.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  expectFloat32("matmul", "a", a);
  expectFloat32("matmul", "b", b);
  const [rows, inner] = a.shape.slice(-2);
  const [batch = 1] = a.shape.slice(0, -2);
  const columns = b.shape[b.shape.length - 1];
  const wanted = [...a.shape.slice(0, -2), inner, columns];
  if (!(a.shape.length === 2 || a.shape.length === 3) || b.shape.join() !== wanted.join()) {
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `ops.matmul: takes [m, k] and [k, n], or [batch, m, k] and [batch, k, n]; got [${a.shape.join(", ")}] and [${b.shape.join(", ")}]`,
    );
  }
  const out = Tensor.empty(a.device, [...a.shape.slice(0, -1), columns]);
  native().matmul(a.device.stream, out.buffer, a.buffer, b.buffer, batch, rows, inner, columns);
  return out;
}

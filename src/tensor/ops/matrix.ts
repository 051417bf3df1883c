import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectFloat32, expectTensor, weightDTypes } from "./check.js";
import { rowsAndWidth } from "./elementwise.js";

/**
 * Rows of a table by id.
 * @param table [rows, hidden], float32 or bfloat16
 * @param ids [tokens] int32; an id outside the table gives a row of NaN
 * @returns [tokens, hidden]
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  expectTensor("embedding", "table", table, [undefined, undefined], weightDTypes);
  expectTensor("embedding", "ids", ids, [undefined], ["int32"]);
  const [rows, hidden] = table.shape;
  const [tokens] = ids.shape;
  const out = Tensor.empty(table.device, [tokens, hidden]);
  native().embedding(table.device.stream, out.buffer, table.buffer, ids.buffer, tokens, hidden, rows);
  return out;
}

/**
 * x · weightᵀ + bias, accumulated in float32. A row of the result depends on its row of x only, to the last bit: not on
 * the other rows nor on the number of threads.
 * @param x [rows, inFeatures]
 * @param weight [outFeatures, inFeatures], float32 or bfloat16 (widened exactly)
 * @param bias [outFeatures]
 * @returns [rows, outFeatures]
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  expectTensor("linear", "weight", weight, [undefined, undefined], weightDTypes);
  const [outFeatures, inFeatures] = weight.shape;
  expectTensor("linear", "x", x, [undefined, inFeatures]);
  if (bias !== undefined) expectTensor("linear", "bias", bias, [outFeatures], weightDTypes);
  const [rows] = x.shape;
  const out = Tensor.empty(x.device, [rows, outFeatures]);
  const biasBuffer = bias === undefined ? null : bias.buffer;
  const stream = x.device.stream;
  native().linear(stream, out.buffer, x.buffer, weight.buffer, biasBuffer, rows, inFeatures, outFeatures);
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

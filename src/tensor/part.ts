import { type NativeBuffer, native, nativeDType } from "../native.js";
import type { Device } from "./device.js";
import { bytesPerElement, isScaled } from "./dtype.js";
import { arranged, INT4_GROUP, releaseScaled, type ScaledMemory } from "./scaled_memory.js";
import { Tensor } from "./tensor.js";

/**
 * For the loaders: rows (axis 0) or columns (axis 1) of a weight, in its own type. Rows of float types share its memory;
 * anything else is a copy. Numbers of int8 and int4 stay what they are, with the scales that they had in the whole.
 * @param tensor a matrix as it was loaded, not column-major, or along axis 0 a vector; int4 is cut along axis 1 at multiples of 32
 */
export function partOfWeight(tensor: Tensor, axis: 0 | 1, first: number, count: number): Tensor {
  const { device, dtype, shape } = tensor;
  if (isScaled(dtype)) return scaledPart(tensor, axis, first, count);
  if (axis === 0) return tensor.rows(first, first + count);
  const [rows, columns] = shape;
  const bytes = bytesPerElement[dtype];
  const out = device.stream.reserve(rows * count * bytes, nativeDType[dtype]);
  cutColumns(device, out, tensor.memory, rows, columns * bytes, first * bytes, count * bytes);
  return new Tensor(device, out, [rows, count], dtype);
}

function scaledPart(tensor: Tensor, axis: 0 | 1, first: number, count: number): Tensor {
  const { device, shape } = tensor;
  const [rows, columns] = shape;
  const dtype = tensor.dtype as "int8" | "int4";
  const tiles = { elements: tensor.memory, scales: tensor.scales as NativeBuffer };
  const whole = arranged(device, dtype, "tiles", tiles, "rows", shape);
  const elementBytes = (numbers: number) => (dtype === "int8" ? numbers : numbers / 2);
  // Of one row.
  const scaleBytes = (numbers: number) => (dtype === "int8" ? 4 : (2 * numbers) / INT4_GROUP);
  const scaleType = nativeDType[dtype === "int8" ? "float32" : "bfloat16"];
  let part: ScaledMemory;
  if (axis === 0) {
    const view = (buffer: NativeBuffer, rowBytes: number, type: number) =>
      buffer.view(first * rowBytes, count * rowBytes, type);
    part = {
      elements: view(whole.elements, elementBytes(columns), nativeDType[dtype]),
      scales: view(whole.scales, scaleBytes(columns), scaleType),
    };
  } else {
    const cut = (buffer: NativeBuffer, bytes: (numbers: number) => number, type: number) => {
      const out = device.stream.reserve(rows * bytes(count), type);
      cutColumns(device, out, buffer, rows, bytes(columns), bytes(first), bytes(count));
      return out;
    };
    const ofRow = dtype === "int8";
    part = {
      elements: cut(whole.elements, elementBytes, nativeDType[dtype]),
      scales: ofRow ? whole.scales.view(0, 4 * rows, scaleType) : cut(whole.scales, scaleBytes, scaleType),
    };
  }
  const shapeOfPart = axis === 0 ? [count, columns] : [rows, count];
  const result = Tensor.fromRows(device, dtype, part, shapeOfPart);
  releaseScaled(part);
  releaseScaled(whole);
  return result;
}

/** The same bytes of every row, one row after the other. */
function cutColumns(
  { stream }: Device,
  out: NativeBuffer,
  x: NativeBuffer,
  rows: number,
  rowBytes: number,
  first: number,
  bytes: number,
): void {
  native().slice(stream, out, 0, bytes, x, first, rowBytes, bytes, rows);
}

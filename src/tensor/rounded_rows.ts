import { PersimmonError } from "../errors.js";
import { type NativeBuffer, native } from "../native.js";
import type { ScaledDType } from "./dtype.js";
import { allocateScaled, releaseScaled } from "./scaled_memory.js";
import { Tensor } from "./tensor.js";

/**
 * For converting files: a row-major float32 or bfloat16 matrix as int8 or int4, the bytes that `toInt8().stored()` or
 * `toInt4().stored()` would give, without the order that products want in between.
 * @throws PersimmonError WEIGHT_NOT_FINITE
 */
export async function roundedRows(
  matrix: Tensor,
  dtype: ScaledDType,
): Promise<{ elements: Uint8Array; scales: Uint8Array }> {
  const { device, memory, size } = matrix;
  const { stream } = device;
  using nonFinite = Tensor.empty(device, [1], "int32");
  native().countNonFiniteWeights(stream, nonFinite.memory, memory, size);
  const [rows, columns] = matrix.shape;
  const [count] = await nonFinite.integers();
  if (count > 0) {
    throw new PersimmonError(
      "WEIGHT_NOT_FINITE",
      `${count} numbers of ${rows} rows are infinite or NaN, which ${dtype} cannot hold: convert to float32 or bfloat16`,
    );
  }
  const byRow = allocateScaled(device, dtype, "rows", [rows, columns]);
  try {
    const quantize = dtype === "int8" ? native().quantizeRows : native().quantizeGroups;
    quantize(stream, byRow.elements, byRow.scales, memory, rows, columns);
    const read = async (buffer: NativeBuffer) =>
      new Uint8Array(await stream.read(buffer, 0, buffer.byteLength));
    return { elements: await read(byRow.elements), scales: await read(byRow.scales) };
  } finally {
    releaseScaled(byRow);
  }
}

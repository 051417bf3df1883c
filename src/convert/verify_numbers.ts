import type { Checkpoint, CheckpointTensor } from "../checkpoint/index.js";
import { PersimmonError } from "../errors.js";
import type { Device } from "../tensor/device.js";
import type { Conversion } from "./outputs.js";
import { rowNumbers } from "./row_numbers.js";

/** Rows of each matrix that are compared: the first, the last, and some between. Norms and biases are compared whole. */
const SAMPLED_ROWS = 5;
// Float32 rounding on the way, relative to a step.
const SLACK = 1.01;

/**
 * Compares numbers of sampled rows in the new checkpoint with those of the source: no further apart than the format rounds.
 * bfloat16 has 8 bits of precision: 2⁻⁸ of the number at most (2⁻¹³⁴ near 0). int8 is off by half a scale, the largest of the
 * row / 127; int4 by a whole one at most, the largest of its 32 / 8, whose own rounding to bfloat16 adds 2⁻⁸ of the number.
 *
 * @throws PersimmonError CONVERSION_INEXACT
 */
export async function verifyNumbers(
  conversions: readonly Conversion[],
  converted: Checkpoint,
  device: Device,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const conversion of conversions) {
    signal?.throwIfAborted();
    const after = converted.tensors.get(conversion.tensor.name)!;
    for (const row of sampledRows(conversion)) {
      await compareRow(conversion, after, row, device);
    }
  }
}

function sampledRows({ rows, tensor }: Conversion): number[] {
  if (tensor.shape.length < 2) return [0];
  const last = rows - 1;
  return [
    ...new Set(Array.from({ length: SAMPLED_ROWS }, (_, i) => Math.round((last * i) / (SAMPLED_ROWS - 1)))),
  ];
}

async function compareRow(
  { tensor, dropped }: Conversion,
  after: CheckpointTensor,
  row: number,
  device: Device,
): Promise<void> {
  const sourceRow = dropped !== undefined && row >= dropped[0] ? row + dropped[1] - dropped[0] : row;
  const wanted = await numbersOf(tensor, sourceRow, device);
  const found = await numbersOf(after, row, device);
  const group = after.dtype === "int4" ? 32 : wanted.length;
  for (let start = 0; start < wanted.length; start += group) {
    const largest = wanted
      .subarray(start, start + group)
      .reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (let at = start; at < Math.min(start + group, wanted.length); at++) {
      const allowed = allowedError(after, tensor, wanted[at], largest);
      if (Math.abs(found[at] - wanted[at]) <= allowed || Object.is(found[at], wanted[at])) continue;
      throw new PersimmonError(
        "CONVERSION_INEXACT",
        `${tensor.name}, row ${sourceRow}, column ${at}: ${wanted[at]} became ${found[at]}, but ${after.dtype} may be off by ${allowed} there.`,
      );
    }
  }
}

function allowedError(
  after: CheckpointTensor,
  before: CheckpointTensor,
  value: number,
  largest: number,
): number {
  if (after.dtype === "int8") return before.dtype === "int8" ? 0 : (SLACK * largest) / 254;
  if (after.dtype === "int4")
    return before.dtype === "int4" ? 0 : (SLACK * largest) / 8 + Math.abs(value) / 256;
  return after.dtype === "bfloat16" ? Math.max(Math.abs(value) / 256, 2 ** -134) : 0;
}

function numbersOf(tensor: CheckpointTensor, row: number, device: Device): Promise<Float32Array> {
  return rowNumbers(tensor, row, tensor.shape.length < 2 ? (tensor.shape[0] ?? 1) : 1, device);
}

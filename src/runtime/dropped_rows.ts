import type { PersimmonConfig } from "../model/config.js";
import { type NativeBuffer, native, nativeDType } from "../native.js";
import type { Device } from "../tensor/device.js";
import { bytesPerElement, type DType } from "../tensor/dtype.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * Rows of ids that a file leaves out (`config.droppedTokenIds`). In memory the embedding and the head have all rows of the
 * vocabulary, so that ids stay what they are in every module and every tool; the dropped ones are zeros that are never
 * written, and take no memory. A bias of the head gives their logits, minus infinity.
 */
export type DroppedRows = NonNullable<PersimmonConfig["droppedTokenIds"]>;

/** The dropped rows of a tensor, if it is one of the two that have rows by id. */
export function droppedRowsOf(name: string, { droppedTokenIds }: PersimmonConfig): DroppedRows | undefined {
  return /(^|\.)(embed_tokens|lm_head)\.weight$/.test(name) ? droppedTokenIds : undefined;
}

/** A float matrix of which the file has all rows but the dropped ones. */
export function withDroppedRows(
  device: Device,
  stored: NativeBuffer,
  dtype: DType,
  [rows, columns]: readonly number[],
  [first, end]: DroppedRows,
): NativeBuffer {
  const rowBytes = columns * bytesPerElement[dtype];
  const { stream } = device;
  const out = stream.reserve(rows * rowBytes, nativeDType[dtype]);
  native().copyBytes(stream, out, 0, stored, 0, first * rowBytes);
  native().copyBytes(stream, out, end * rowBytes, stored, first * rowBytes, (rows - end) * rowBytes);
  return out;
}

/** What the head adds to its products, [vocabulary]: minus infinity for dropped ids, else 0. */
export function headBias(device: Device, { vocabSize }: PersimmonConfig, [first, end]: DroppedRows): Tensor {
  return Tensor.from(device, new Float32Array(vocabSize).fill(Number.NEGATIVE_INFINITY, first, end)).keep();
}

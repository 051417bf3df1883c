import { type NativeBuffer, native, nativeDType, nativeInt4Order } from "../native.js";
import type { Device } from "./device.js";

/** Numbers of a row that share a scale. */
export const INT4_GROUP = 32;

/** An order in memory of native/cpu/int4.h, with the multiple to which rows are filled up there. */
const FILLED = { rows: 1, tiles: 16, inputs: 64 } as const;
export type Int4Order = keyof typeof FILLED;

/** int4 elements, two in a byte, and their bfloat16 scales. */
export interface Int4Memory {
  elements: NativeBuffer;
  scales: NativeBuffer;
}

/** Memory for a [rows, columns] matrix; columns are a multiple of 32. The bytes of the elements are uninitialised. */
export function allocateInt4(
  device: Device,
  order: Int4Order,
  [rows, columns]: readonly number[],
): Int4Memory {
  const filled = Math.ceil(rows / FILLED[order]) * FILLED[order];
  return {
    elements: device.stream.reserve((filled * columns) / 2, nativeDType.int4),
    scales: device.stream.reserve((2 * filled * columns) / INT4_GROUP, nativeDType.bfloat16),
  };
}

/** The same numbers in another order, in memory of their own. One of the orders is that of rows. */
export function arrangedInt4(
  device: Device,
  from: Int4Order,
  { elements, scales }: Int4Memory,
  to: Int4Order,
  shape: readonly number[],
): Int4Memory {
  const out = allocateInt4(device, to, shape);
  native().arrangeGroups(
    device.stream,
    out.elements,
    out.scales,
    nativeInt4Order[to],
    elements,
    scales,
    nativeInt4Order[from],
    shape[0],
    shape[1],
  );
  return out;
}

/** Gives the memory back in stream order. */
export function releaseInt4({ elements, scales }: Int4Memory): void {
  elements.release();
  scales.release();
}

import { type NativeBuffer, native, nativeDType, nativeWeightOrder } from "../native.js";
import type { Device } from "./device.js";
import type { ScaledDType } from "./dtype.js";

/** Numbers of a row that share a scale in int4. */
export const INT4_GROUP = 32;

/** An order in memory of native/cpu/scaled_weights.h. */
export type WeightOrder = keyof typeof nativeWeightOrder;

/** The elements of an int8 or int4 matrix, and their scales: float32 of each row, or bfloat16 of each group. */
export interface ScaledMemory {
  elements: NativeBuffer;
  scales: NativeBuffer;
}

/** The multiple to which rows, and columns, are filled up. */
const FILLED: Record<ScaledDType, Record<WeightOrder, readonly [number, number]>> = {
  int8: { rows: [1, 1], tiles: [16, 32], inputs: [1, 1] },
  int4: { rows: [1, 1], tiles: [16, 1], inputs: [64, 1] },
};

const filled = (size: number, multiple: number) => Math.ceil(size / multiple) * multiple;

function elementBytes(dtype: ScaledDType, order: WeightOrder, [rows, columns]: readonly number[]): number {
  const [ofRows, ofColumns] = FILLED[dtype][order];
  return (filled(rows, ofRows) * filled(columns, ofColumns)) / (dtype === "int8" ? 1 : 2);
}

/** Bytes of a [rows, columns] matrix in tiles, the order of most weights, with its scales. */
export function tiledBytes(dtype: ScaledDType, [rows, columns]: readonly number[]): number {
  const scaleRows = dtype === "int8" ? rows : filled(rows, FILLED.int4.tiles[0]);
  return elementBytes(dtype, "tiles", [rows, columns]) + scaleBytes(dtype, scaleRows, columns);
}

/** Memory for a [rows, columns] matrix, uninitialised; columns of int4 are a multiple of 32. */
export function allocateScaled(
  device: Device,
  dtype: ScaledDType,
  order: WeightOrder,
  shape: readonly number[],
): ScaledMemory {
  const [rows, columns] = shape;
  const elements = device.stream.reserve(elementBytes(dtype, order, shape), nativeDType[dtype]);
  if (dtype === "int8") {
    return {
      elements,
      scales: device.stream.allocate(scaleBytes(dtype, rows, columns), nativeDType.float32),
    };
  }
  const bytes = scaleBytes(dtype, filled(rows, FILLED.int4[order][0]), columns);
  return { elements, scales: device.stream.reserve(bytes, nativeDType.bfloat16) };
}

function scaleType(dtype: ScaledDType): number {
  return nativeDType[dtype === "int8" ? "float32" : "bfloat16"];
}

function scaleBytes(dtype: ScaledDType, rows: number, columns: number): number {
  return dtype === "int8" ? 4 * rows : (2 * rows * columns) / INT4_GROUP;
}

/** The same numbers in another order, in memory of their own. One of the orders is that of rows. */
export function arranged(
  device: Device,
  dtype: ScaledDType,
  from: WeightOrder,
  memory: ScaledMemory,
  to: WeightOrder,
  shape: readonly number[],
): ScaledMemory {
  const out = allocateScaled(device, dtype, to, shape);
  arrange(device, dtype, from, memory, to, out, shape);
  return out;
}

function arrange(
  { stream }: Device,
  dtype: ScaledDType,
  from: WeightOrder,
  { elements, scales }: ScaledMemory,
  to: WeightOrder,
  out: ScaledMemory,
  [rows, columns]: readonly number[],
): void {
  if (dtype === "int4") {
    const [target, source] = [nativeWeightOrder[to], nativeWeightOrder[from]];
    native().arrangeGroups(stream, out.elements, out.scales, target, elements, scales, source, rows, columns);
    return;
  }
  native().copyBytes(stream, out.scales, 0, scales, 0, 4 * rows);
  if (to === "tiles") native().int8ToTiles(stream, out.elements, elements, rows, columns);
  else if (from === "tiles") native().int8FromTiles(stream, out.elements, elements, rows, columns);
  else if (to === "inputs") native().transposeWeight(stream, out.elements, elements, rows, columns);
  else native().transposeWeight(stream, out.elements, elements, columns, rows);
}

// 32 MB of bfloat16: what a matrix needs beside the memory that it will lie in.
const BLOCK_ELEMENTS = 2 ** 24;

/**
 * A matrix in tiles, rounded block by block of rows, so that it never is in memory twice.
 * @param shape [rows, columns]
 * @param rowsAt `count` rows from `first` on in float32 or bfloat16, row-major; released when they are used
 */
export function quantizedTiles(
  device: Device,
  dtype: ScaledDType,
  shape: readonly number[],
  rowsAt: (first: number, count: number) => NativeBuffer,
): ScaledMemory {
  const [rows, columns] = shape;
  const out = allocateScaled(device, dtype, "tiles", shape);
  const tileRows = FILLED[dtype].tiles[0];
  const blockRows = Math.max(1, Math.floor(BLOCK_ELEMENTS / columns / tileRows)) * tileRows;
  try {
    for (let first = 0; first < rows; first += blockRows) {
      const count = Math.min(blockRows, rows - first);
      const block = tilesFrom(out, dtype, first, columns);
      try {
        roundInto(device, dtype, block, [count, columns], () => rowsAt(first, count));
      } finally {
        releaseScaled(block);
      }
    }
  } catch (error) {
    releaseScaled(out);
    throw error;
  }
  return out;
}

/** The part of a matrix in tiles that begins with row `first`, a whole number of tiles from the beginning. */
function tilesFrom(
  { elements, scales }: ScaledMemory,
  dtype: ScaledDType,
  first: number,
  columns: number,
): ScaledMemory {
  const rest = (buffer: NativeBuffer, before: number, type: number) =>
    buffer.view(before, buffer.byteLength - before, type);
  return {
    elements: rest(elements, elementBytes(dtype, "tiles", [first, columns]), nativeDType[dtype]),
    scales: rest(scales, scaleBytes(dtype, first, columns), scaleType(dtype)),
  };
}

/** Rounds rows of a matrix to tiles. */
function roundInto(
  device: Device,
  dtype: ScaledDType,
  out: ScaledMemory,
  shape: readonly [number, number],
  make: () => NativeBuffer,
): void {
  const byRow = allocateScaled(device, dtype, "rows", shape);
  let source: NativeBuffer | undefined;
  try {
    source = make();
    const quantize = dtype === "int8" ? native().quantizeRows : native().quantizeGroups;
    quantize(device.stream, byRow.elements, byRow.scales, source, ...shape);
    arrange(device, dtype, "rows", byRow, "tiles", out, shape);
  } finally {
    source?.release();
    releaseScaled(byRow);
  }
}

// 4 MB of int8 at 4096 columns: the copy in the order of rows that is needed beside the tiles.
const PLACED_ROWS = 1024;

/**
 * A matrix in tiles that has more rows than are stored, the others zero: memory is taken for those that are stored, and for what
 * a block of 1024 fills up.
 * @param stored elements and scales of the rows outside `first` to `end` (exclusive), in the order of rows
 * @param shape [rows, columns] of the whole
 */
export function tilesWithEmptyRows(
  device: Device,
  dtype: ScaledDType,
  stored: ScaledMemory,
  [rows, columns]: readonly number[],
  [first, end]: readonly [number, number],
): ScaledMemory {
  const out = allocateScaled(device, dtype, "tiles", [rows, columns]);
  for (let start = 0; start < rows; start += PLACED_ROWS) {
    const stop = Math.min(start + PLACED_ROWS, rows);
    if (start >= first && stop <= end) {
      // Scales of int8 lie in memory of the arena, which is not zeroed.
      if (dtype === "int8") device.stream.write(out.scales, 4 * start, new Uint8Array(4 * (stop - start)));
      continue;
    }
    const shape = [stop - start, columns];
    const byRow = {
      elements: device.stream.reserve(elementBytes(dtype, "rows", shape), nativeDType[dtype]),
      scales: device.stream.reserve(scaleBytes(dtype, stop - start, columns), scaleType(dtype)),
    };
    const copy = (from: number, to: number, skipped: number) => {
      if (from >= to) return;
      for (const [target, source, bytes] of [
        [byRow.elements, stored.elements, elementBytes(dtype, "rows", [1, columns])],
        [byRow.scales, stored.scales, scaleBytes(dtype, 1, columns)],
      ] as const) {
        const count = (to - from) * bytes;
        native().copyBytes(
          device.stream,
          target,
          (from - start) * bytes,
          source,
          (from - skipped) * bytes,
          count,
        );
      }
    };
    copy(start, Math.min(stop, first), 0);
    copy(Math.max(start, end), stop, end - first);
    const block = tilesFrom(out, dtype, start, columns);
    arrange(device, dtype, "rows", byRow, "tiles", block, shape);
    releaseScaled(block);
    releaseScaled(byRow);
  }
  return out;
}

/** Gives the memory back in stream order. */
export function releaseScaled({ elements, scales }: ScaledMemory): void {
  elements.release();
  scales.release();
}

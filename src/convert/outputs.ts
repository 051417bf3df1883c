import {
  type CheckpointTensor,
  isQuantizable,
  packedName,
  packedShape,
  type StoredDType,
  scaleName,
  scaleShape,
  shapeName,
} from "../checkpoint/index.js";
import type { WeightDType } from "../runtime/load_weights.js";
import { bytesPerElement, isScaled } from "../tensor/dtype.js";
import { elementCount } from "../tensor/element_count.js";

/** Ids `first` to `end` (exclusive) of a vocabulary. */
export type IdRange = readonly [first: number, end: number];

/** A tensor of the new file that is made of a weight. */
export interface Output {
  name: string;
  dtype: StoredDType;
  shape: number[];
  /** Bytes that a row of the weight becomes. */
  rowBytes: number;
}

/** A weight and what becomes of it. */
export interface Conversion {
  tensor: CheckpointTensor;
  /** The type that its numbers get. */
  dtype: WeightDType;
  /** Rows of the first axis that the new file has; those of `dropped` are left out. */
  rows: number;
  dropped: IdRange | undefined;
  /** The numbers, and for int8 and int4 their scales. */
  outputs: Output[];
  /** The shape of an int4 weight, which other readers want. */
  shapeOutput: { name: string; bytes: Uint8Array } | undefined;
}

/** @param dropped rows that the embedding and the head are to lose */
export function conversionOf(tensor: CheckpointTensor, to: WeightDType, dropped?: IdRange): Conversion {
  const loses = dropped !== undefined && /(^|\.)(embed_tokens|lm_head)\.weight$/.test(tensor.name);
  const rows = (tensor.shape[0] ?? 1) - (loses ? dropped[1] - dropped[0] : 0);
  const shape = tensor.shape.length === 0 ? [] : [rows, ...tensor.shape.slice(1)];
  const dtype = dtypeAfter(tensor, to);
  const output = (name: string, type: StoredDType, ofShape: number[], bytes: number): Output => ({
    name,
    dtype: type,
    shape: ofShape,
    rowBytes: bytes / rows,
  });
  const numbers = elementCount(shape) * bytesPerElement[dtype];
  const common = { tensor, dtype, rows, dropped: loses ? dropped : undefined, shapeOutput: undefined };
  if (!isScaled(dtype)) return { ...common, outputs: [output(tensor.name, dtype, shape, numbers)] };
  const scales = scaleShape(dtype, shape);
  const scaleType = dtype === "int8" ? "float32" : "bfloat16";
  const scale = output(
    scaleName(tensor.name),
    scaleType,
    scales,
    elementCount(scales) * bytesPerElement[scaleType],
  );
  if (dtype === "int8") return { ...common, outputs: [output(tensor.name, dtype, shape, numbers), scale] };
  return {
    ...common,
    outputs: [output(packedName(tensor.name), "int32", packedShape(shape), numbers), scale],
    shapeOutput: {
      name: shapeName(tensor.name),
      bytes: new Uint8Array(BigInt64Array.from(shape, BigInt).buffer),
    },
  };
}

/** Norms and biases keep their type beside int8 and int4 (float16 becomes float32). */
export function dtypeAfter({ shape, dtype }: CheckpointTensor, to: WeightDType): WeightDType {
  if (!isScaled(to)) return to;
  if (dtype === to || isQuantizable(shape, to)) return to;
  return dtype === "bfloat16" ? "bfloat16" : "float32";
}

/** Rows of a weight that are converted in one go. */
export interface Block {
  conversion: Conversion;
  /** Rows of the weight. */
  first: number;
  count: number;
  /** Where they go in the outputs. */
  firstOut: number;
}

// 8 MiB of bfloat16; with float32 numbers, copies and results beside them about 100 MB are in use at a time.
const BLOCK_ELEMENTS = 2 ** 22;

/** The blocks of a conversion, in order. */
export function blocksOf(conversion: Conversion): Block[] {
  const { tensor, dropped } = conversion;
  const [rows = 1, ...rest] = tensor.shape;
  const blockRows = Math.max(1, Math.floor(BLOCK_ELEMENTS / elementCount(rest)));
  const ranges: IdRange[] =
    dropped === undefined
      ? [[0, rows]]
      : [
          [0, dropped[0]],
          [dropped[1], rows],
        ];
  const blocks: Block[] = [];
  let firstOut = 0;
  for (const [start, end] of ranges) {
    for (let first = start; first < end; first += blockRows) {
      const count = Math.min(blockRows, end - first);
      blocks.push({ conversion, first, count, firstOut });
      firstOut += count;
    }
  }
  return blocks;
}

/**
 * The only file that loads the addon. Everything that C++ offers is declared and documented here. Arguments are checked
 * by the callers in `src/tensor/`; the addon itself only makes sure that no op leaves its buffers.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { PersimmonError } from "./errors.js";
import type { GraphCounts, NativeGpu } from "./native_gpu.js";
import type { ParallelAddon } from "./native_parallel.js";
import type { SamplingAddon } from "./native_sampling.js";
import { packageRoot } from "./package_root.js";

/** Element types as the addon numbers them (`DType` in native/cpu/ops.h). */
export const nativeDType = { float32: 0, bfloat16: 1, int32: 2, float16: 3, int8: 4, int4: 5 } as const;

/** Orders of int8 and int4 weights in memory, as the addon numbers them (native/cpu/scaled_weights.h). */
export const nativeWeightOrder = { rows: 0, tiles: 1, inputs: 2 } as const;

/** A range of native memory with an element type. */
export interface NativeBuffer {
  readonly byteLength: number;
  /** Another buffer over a part of the same bytes. */
  view(byteOffset: number, byteLength: number, dtype: number): NativeBuffer;
  /** Brings the bytes of a mapped file into memory; resolves when they are there. Does nothing where the system cannot. */
  fetch(): Promise<void>;
  /**
   * Takes the pages of a mapped file, nothing of which was written to, out of the memory of this process, which reads them again
   * where it uses them. Does nothing with other memory.
   */
  unload(): void;
  /** Gives the memory back in stream order. Using the buffer afterwards throws `TENSOR_RELEASED`. */
  release(): void;
}

export interface MemoryStatistics {
  /** Bytes that tensors hold now. */
  bytesInUse: number;
  /** Bytes kept for the next tensors. */
  bytesCached: number;
  /** The largest `bytesInUse` so far. */
  bytesPeak: number;
}

/** Runs ops in order on a native thread; every method but the `…Sync` ones and `synchronize` returns at once. */
export interface NativeStream {
  /** Uninitialised memory from the stream's arena. Throws `OUT_OF_MEMORY`. */
  allocate(bytes: number, dtype: number): NativeBuffer;
  /** Zeroed address space of its own; memory is taken only where it is written. Throws `OUT_OF_MEMORY`. */
  reserve(bytes: number, dtype: number): NativeBuffer;
  /** A whole file, memory-mapped: what is written to it becomes a copy of its own. Throws `FILE_UNREADABLE`. */
  mapFile(path: string): NativeBuffer;
  /** Copies `source` into the buffer in stream order; `source` may change after the call. */
  write(buffer: NativeBuffer, byteOffset: number, source: Uint8Array): void;
  /** Resolves with a copy of the bytes once the stream has come so far. */
  read(buffer: NativeBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer>;
  /**
   * Takes a copy of the bytes in stream order, as `read`, which `finishRead` hands out: the stream does not wait for it, so that
   * what is enqueued between the two runs meanwhile.
   */
  startRead(buffer: NativeBuffer, byteOffset: number, byteLength: number): NativeReading;
  /** Resolves with the copy; the same for the same reading. Throws `NATIVE_ARGUMENT` for anything else. */
  finishRead(reading: NativeReading): Promise<ArrayBuffer>;
  /** As `read`, but blocks JavaScript. */
  readSync(buffer: NativeBuffer, byteOffset: number, byteLength: number): ArrayBuffer;
  /**
   * Ops from now on until `endGroup` belong to a group: its number. `cancel` leaves out those of it that have not begun; what
   * they would have written is undefined. A group that is done, or unknown, can be cancelled without effect.
   */
  startGroup(): number;
  endGroup(): void;
  cancel(group: number): void;
  /** Blocks JavaScript until everything enqueued has run. */
  synchronize(): void;
  statistics(): MemoryStatistics;
  /** What the stream computes on, or null for the CPU. */
  gpu(): NativeGpu | null;
  /** Graphs and copies that the GPU was given so far; all 0 on the CPU. Blocks JavaScript until the stream has come so far. */
  graphs(): GraphCounts;
  /** Whether plans of a GPU that are recorded from now on do some neighbouring ops in one kernel; true from the start. */
  setJoinsOps(joins: boolean): void;
}

/** Bytes that were read and not handed out yet: only the addon can look inside. */
export type NativeReading = object;

/** Ops recorded while they ran for the first time, cut into segments, to be run again as they are. */
export interface NativePlan {
  /** From now on until `end`, ops and writes are recorded too, and memory comes from the plan. Throws `PLAN_RECORDING`. */
  begin(): void;
  /** Ends the segment: the number of its ops. */
  end(): number;
  /** Runs a segment again, with one command. */
  replay(segment: number): void;
  /** For tests: overwrites what the plan's free memory holds with NaN. */
  poison(): void;
  /** The ops of each segment, with their sizes. */
  describe(): string[][];
  /** Of each segment, the ops that a GPU does in one kernel: the first, counted from 0, and how many. */
  joined(): [first: number, count: number][][];
  /** Bytes of the plan's memory. */
  bytes(): number;
  release(): void;
}

/** Sizes that the attention ops share; see native/cpu/ops.h for the layout of the cache pages. */
export interface AttentionSizes {
  tokens: number;
  heads: number;
  headDim: number;
  rotaryDims: number;
  sequenceCount: number;
  pagesPerSequence: number;
  pageTokens: number;
  pageCount: number;
}

type Buffer = NativeBuffer;
type Optional = NativeBuffer | null;
/**
 * positions [tokens], sequences [tokens], keys, values, pageTable [sequenceCount, pagesPerSequence], and the scales of int8
 * keys and values [pageCount, heads, pageTokens], null for others
 */
type CacheArguments = [
  sizes: AttentionSizes,
  positions: Buffer,
  sequences: Buffer,
  keys: Buffer,
  values: Buffer,
  pageTable: Buffer,
  keyScales: Optional,
  valueScales: Optional,
];

type UnaryOp = (stream: NativeStream, out: Buffer, x: Buffer, count: number) => void;
type BinaryOp = (stream: NativeStream, out: Buffer, a: Buffer, b: Buffer, count: number) => void;
type RowOp = (stream: NativeStream, out: Buffer, x: Buffer, rows: number, width: number) => void;
/** Each operand has rows · width numbers, `width` for every row, or one for all; its count says which. */
type BroadcastOp = (
  stream: NativeStream,
  out: Buffer,
  a: Buffer,
  b: Buffer,
  rows: number,
  width: number,
  aCount: number,
  bCount: number,
) => void;
/** Copies blocks of bytes that lie at regular distances in both buffers; all numbers but the last are bytes. */
type CopyBlocks = (
  stream: NativeStream,
  out: Buffer,
  outOffset: number,
  outStride: number,
  x: Buffer,
  offset: number,
  stride: number,
  bytes: number,
  blocks: number,
) => void;

type LinearOp = (
  stream: NativeStream,
  out: Buffer,
  x: Buffer,
  weight: Buffer,
  /** float32 [outFeatures] of an int8 weight, bfloat16 ones of an int4 weight */
  scales: Optional,
  bias: Optional,
  rows: number,
  inFeatures: number,
  outFeatures: number,
) => void;

type QuantizeOp = (
  stream: NativeStream,
  out: Buffer,
  scales: Buffer,
  x: Buffer,
  rows: number,
  columns: number,
) => void;

type DequantizeOp = (
  stream: NativeStream,
  out: Buffer,
  x: Buffer,
  scales: Buffer,
  rows: number,
  columns: number,
) => void;

export interface NativeAddon extends ParallelAddon, SamplingAddon {
  /** With the number of a GPU, a stream of that. Throws `DEVICE_UNAVAILABLE` with the reason. */
  Stream: new (
    threads: number,
    gpu?: number | null,
    matmulPrecision?: number,
  ) => NativeStream;
  Plan: new (stream: NativeStream) => NativePlan;
  /** How many GPUs of NVIDIA's there are; 0 in a build without CUDA, and where there is no driver. */
  gpuCount(): number;
  /** The instruction set in use: "avx512-amx", "avx512-bf16", "avx512", "avx2" or "portable". */
  instructionSet(): string;
  /** Chooses another one; false where this CPU lacks it. For tests and benchmarks. */
  setInstructionSet(name: string): boolean;

  add: BinaryOp;
  sub: BinaryOp;
  mul: BinaryOp;
  addBroadcast: BroadcastOp;
  subBroadcast: BroadcastOp;
  mulBroadcast: BroadcastOp;
  scale(stream: NativeStream, out: Buffer, x: Buffer, factor: number, count: number): void;
  reluSquared: UnaryOp;
  relu: UnaryOp;
  gelu: UnaryOp;
  geluTanh: UnaryOp;
  silu: UnaryOp;
  sigmoid: UnaryOp;
  tanh: UnaryOp;
  softmax: RowOp;
  logSoftmax: RowOp;
  /** One number for each row; `mean`, `max` and `min` need a column. */
  sum: RowOp;
  mean: RowOp;
  max: RowOp;
  min: RowOp;
  /** The k largest of each row, in order, and their columns; values and columns are [rows, k]. */
  topK(
    stream: NativeStream,
    values: Buffer,
    columns: Buffer,
    x: Buffer,
    rows: number,
    width: number,
    k: number,
  ): void;
  /** out = x, with 0 in place of all but the k largest of each row. */
  keepTopK(stream: NativeStream, out: Buffer, x: Buffer, rows: number, width: number, k: number): void;
  /** out[row, i] = x[row, columns[i]]; NaN for a column outside. */
  gather(
    stream: NativeStream,
    out: Buffer,
    x: Buffer,
    columns: Buffer,
    rows: number,
    width: number,
    count: number,
  ): void;
  slice: CopyBlocks;
  concat: CopyBlocks;
  transpose(stream: NativeStream, out: Buffer, x: Buffer, batch: number, rows: number, columns: number): void;
  /** out [columns, rows] = x [rows, columns] with its axes exchanged, float32 or bfloat16 both. */
  transposeWeight(stream: NativeStream, out: Buffer, x: Buffer, rows: number, columns: number): void;
  /** out [1] int32 = how many elements of x are infinite or NaN. */
  countNonFiniteWeights(stream: NativeStream, out: Buffer, x: Buffer, count: number): void;
  /** Rows of `table` [rows, hidden] by id; an id outside gives a row of NaN. */
  embedding(
    stream: NativeStream,
    out: Buffer,
    table: Buffer,
    scales: Buffer | null,
    ids: Buffer,
    tokens: number,
    hidden: number,
    rows: number,
  ): void;
  /** out = x · weightᵀ + bias; x [rows, inFeatures], weight [outFeatures, inFeatures]. */
  linear: LinearOp;
  /** As `linear`, for a finite weight [inFeatures, outFeatures]; zeros of x in up to 16 rows are skipped. */
  linearByInput: LinearOp;
  /** As `linear` where the gate [rows, outFeatures] is above zero or NaN; 0 elsewhere, not read in up to 8 rows. */
  linearWhere(
    stream: NativeStream,
    out: Buffer,
    x: Buffer,
    weight: Buffer,
    bias: Optional,
    gate: Buffer,
    rows: number,
    inFeatures: number,
    outFeatures: number,
  ): void;
  layerNorm(
    stream: NativeStream,
    out: Buffer,
    x: Buffer,
    weight: Buffer,
    bias: Buffer,
    rows: number,
    width: number,
    epsilon: number,
  ): void;
  rmsNorm(
    stream: NativeStream,
    out: Buffer,
    x: Buffer,
    weight: Buffer,
    rows: number,
    width: number,
    epsilon: number,
  ): void;
  /** out [batch, rows, columns] = a [batch, rows, inner] · b [batch, inner, columns] */
  matmul(
    stream: NativeStream,
    out: Buffer,
    a: Buffer,
    b: Buffer,
    batch: number,
    rows: number,
    inner: number,
    columns: number,
  ): void;
  /** softmax(scale · q · k) · v for each head, without a cache; `causal` is 0 or 1. */
  attention(
    stream: NativeStream,
    z: Buffer,
    q: Buffer,
    k: Buffer,
    v: Buffer,
    tokens: number,
    keys: number,
    heads: number,
    headDim: number,
    scale: number,
    causal: number,
  ): void;
  fusedAttention(
    stream: NativeStream,
    z: Buffer,
    qkv: Buffer,
    qNormWeight: Optional,
    qNormBias: Optional,
    kNormWeight: Optional,
    kNormBias: Optional,
    epsilon: number,
    cos: Buffer,
    sin: Buffer,
    maxPositions: number,
    q: Optional,
    k: Optional,
    v: Optional,
    qRot: Optional,
    kRot: Optional,
    ...cache: CacheArguments
  ): void;
  splitHeads(
    stream: NativeStream,
    q: Buffer,
    k: Buffer,
    v: Buffer,
    qkv: Buffer,
    tokens: number,
    heads: number,
    headDim: number,
  ): void;
  rotary(
    stream: NativeStream,
    out: Buffer,
    x: Buffer,
    cos: Buffer,
    sin: Buffer,
    positions: Buffer,
    tokens: number,
    heads: number,
    headDim: number,
    rotaryDims: number,
    maxPositions: number,
  ): void;
  cacheAppend(stream: NativeStream, k: Buffer, v: Buffer, ...cache: CacheArguments): void;
  attentionPattern(
    stream: NativeStream,
    pattern: Buffer,
    q: Buffer,
    keyCount: number,
    ...cache: CacheArguments
  ): void;
  attentionValues(
    stream: NativeStream,
    z: Buffer,
    pattern: Buffer,
    keyCount: number,
    ...cache: CacheArguments
  ): void;
  /** out int8 [rows, columns] and scales [rows] from a finite float32 or bfloat16 weight x. */
  quantizeRows: QuantizeOp;
  /** out float32 = x · scales, row by row. */
  dequantizeRows: DequantizeOp;
  /** out int4 and scales bfloat16, in the order of rows, from a finite float32 or bfloat16 weight x. */
  quantizeGroups: QuantizeOp;
  /** out float32, row-major, of int4 in the order of rows. */
  dequantizeGroups: DequantizeOp;
  /** int4 in another order; `to` or `from` is that of rows. */
  arrangeGroups(
    stream: NativeStream,
    out: Buffer,
    outScales: Buffer,
    to: number,
    x: Buffer,
    scales: Buffer,
    from: number,
    rows: number,
    columns: number,
  ): void;
  /** int8 in the order of rows, x, in that of tiles. */
  int8ToTiles(stream: NativeStream, out: Buffer, x: Buffer, rows: number, columns: number): void;
  /** int8 in the order of tiles, x, in that of rows. */
  int8FromTiles(stream: NativeStream, out: Buffer, x: Buffer, rows: number, columns: number): void;
  /** out, 16 bytes of int32: two 64-bit integers, the bytes of weights that products have read and left out so far. */
  weightTraffic(stream: NativeStream, out: Buffer): void;
  /**
   * Copies all bytes of x to out, which has as many, between buffers of two streams, in the order of both. Throws
   * `PLAN_RECORDING` inside a recorded pass.
   */
  transfer(to: NativeStream, out: Buffer, from: NativeStream, x: Buffer): void;
  /** Copies bytes inside native memory. */
  copyBytes(
    stream: NativeStream,
    out: Buffer,
    outOffset: number,
    x: Buffer,
    offset: number,
    bytes: number,
  ): void;
  /** Converts `count` elements between buffers of float32, bfloat16 and (as a source) float16. */
  convert(stream: NativeStream, out: Buffer, x: Buffer, count: number): void;
  /** Fills with near-normal numbers that depend on `seed` and the index only, which begins with `first`. */
  fillNormal(
    stream: NativeStream,
    out: Buffer,
    count: number,
    mean: number,
    deviation: number,
    seed: number,
    first: number,
  ): void;
  /**
   * out = x with an edit applied; see `Edit` in native/cpu/ops.h. `rowOf` [positionCount] gives the row of the operand for
   * each position, −1 where the edit does not apply. `parameters` holds strength and limit.
   */
  edit(
    stream: NativeStream,
    out: Buffer,
    x: Buffer,
    rows: number,
    width: number,
    kind: number,
    positions: Optional,
    rowOf: Optional,
    positionCount: number,
    operandRows: number,
    columns: Optional,
    columnCount: number,
    operand: Optional,
    parameters: Buffer,
    seed: number,
  ): void;
  /** counts[column] += rows of x [rows, width] above 0 there; counts are int32. */
  countPositive(stream: NativeStream, counts: Buffer, x: Buffer, rows: number, width: number): void;
  /** found[0] += elements of x that are NaN or infinite; found is int32. */
  countNonFinite(stream: NativeStream, found: Buffer, x: Buffer, count: number): void;
  /** Writes the gigabytes a second of one pass over `x` into the one float of `out`. */
  readBandwidth(stream: NativeStream, x: Buffer, out: Buffer): void;
}

let loaded: NativeAddon | undefined;

/** The addon, loaded at the first call. Throws `ADDON_MISSING` when it was not built or does not fit this machine. */
export function native(): NativeAddon {
  if (loaded === undefined) {
    // Another build of the addon, for tests: kernels for GPUs on an emulated one.
    const file = process.env.PERSIMMON_ADDON ?? join(packageRoot, "build", "Release", "persimmon.node");
    try {
      loaded = createRequire(import.meta.url)(file) as NativeAddon;
    } catch (cause) {
      throw new PersimmonError(
        "ADDON_MISSING",
        `the native addon ${file} could not be loaded (${(cause as Error).message}); build it with \`npm run build\``,
        { cause },
      );
    }
  }
  return loaded;
}

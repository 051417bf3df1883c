import { PersimmonError } from "../../errors.js";
import { type AttentionSizes, native } from "../../native.js";
import type { DType } from "../dtype.js";
import { Tensor } from "../tensor.js";
import { expectTensor, weightDTypes } from "./check.js";

/** What keys and values can be kept in. */
const cacheDTypes: readonly DType[] = [...weightDTypes, "int8"];

/** Cosines and sines of the rotary angles, each [positions, rotaryDims / 2]. */
export interface RotaryTables {
  cos: Tensor;
  sin: Tensor;
}

/** The keys and values of one layer, in pages, and where the tokens of the running batch stand in them. */
export interface LayerCache {
  /**
   * [pageCount, heads, pageTokens, headDim], float32, or bfloat16 or int8: what is stored is rounded, and widened when it is
   * read. int8 pages have a scale for each head of a position; a KvCache makes them.
   */
  keys: Tensor;
  /** [pageCount, heads, pageTokens, headDim], of the type of the keys */
  values: Tensor;
  /** [sequences, pagesPerSequence] int32: the page that holds positions p · pageTokens … of a sequence */
  pageTable: Tensor;
  /** [tokens] int32: position of each token in its sequence, from 0 */
  positions: Tensor;
  /** [tokens] int32: row of the page table for each token */
  sequences: Tensor;
  /** The longest sequence in the batch, counted with the tokens that run now. */
  longest: number;
}

/** Weight and bias of a LayerNorm over one head. */
export interface HeadNorm {
  weight: Tensor;
  bias: Tensor;
}

/** Tensors inside the fused kernel that someone wants to see. */
export type AttentionTap = "q" | "k" | "v" | "qRot" | "kRot";

/**
 * Attention from the fused projection to the mixed values in one kernel: QK-LayerNorm, rotary embedding of the first
 * dimensions, append to the cache, causal softmax(q · k / sqrt(headDim)) · v. Bit-identical to the ops below in turn.
 * @param qkv [tokens, heads · 3 · headDim], each head holding q, k and v in turn
 * @param taps names of inner tensors to be written as well, each [tokens, heads, headDim]
 * @returns z [tokens, heads · headDim]
 */
export function fusedAttention(
  qkv: Tensor,
  heads: number,
  norms: { q: HeadNorm; k: HeadNorm; epsilon: number } | undefined,
  rotary: RotaryTables,
  cache: LayerCache,
  taps: readonly AttentionTap[] = [],
): { z: Tensor } & Partial<Record<AttentionTap, Tensor>> {
  const width = headWidth("fusedAttention", cache, heads);
  expectTensor("fusedAttention", "qkv", qkv, [undefined, heads * 3 * width]);
  const [tokens] = qkv.shape;
  const sizes = checkCache("fusedAttention", cache, tokens, heads, rotary);
  for (const [name, norm] of norms === undefined
    ? []
    : ([
        ["q", norms.q],
        ["k", norms.k],
      ] as const)) {
    expectTensor("fusedAttention", `${name} norm weight`, norm.weight, [width], weightDTypes);
    expectTensor("fusedAttention", `${name} norm bias`, norm.bias, [width], weightDTypes);
  }
  const z = Tensor.empty(qkv.device, [tokens, heads * width]);
  const tapped: Partial<Record<AttentionTap, Tensor>> = {};
  for (const name of taps) tapped[name] = Tensor.empty(qkv.device, [tokens, heads, width]);
  native().fusedAttention(
    qkv.device.stream,
    z.buffer,
    qkv.buffer,
    norms?.q.weight.buffer ?? null,
    norms?.q.bias.buffer ?? null,
    norms?.k.weight.buffer ?? null,
    norms?.k.bias.buffer ?? null,
    Math.fround(norms?.epsilon ?? 0),
    rotary.cos.buffer,
    rotary.sin.buffer,
    rotary.cos.shape[0],
    tapped.q?.buffer ?? null,
    tapped.k?.buffer ?? null,
    tapped.v?.buffer ?? null,
    tapped.qRot?.buffer ?? null,
    tapped.kRot?.buffer ?? null,
    ...cacheArguments(sizes, cache),
  );
  return { z, ...tapped };
}

/** Cuts the fused projection [tokens, heads · 3 · headDim] into q, k and v, each [tokens, heads, headDim]. */
export function splitHeads(qkv: Tensor, heads: number): { q: Tensor; k: Tensor; v: Tensor } {
  expectTensor("splitHeads", "qkv", qkv, [undefined, undefined]);
  const [tokens, features] = qkv.shape;
  const headDim = features / (3 * heads);
  if (!Number.isInteger(headDim)) {
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `ops.splitHeads: ${features} features cannot be q, k and v of ${heads} heads`,
    );
  }
  const [q, k, v] = [0, 1, 2].map(() => Tensor.empty(qkv.device, [tokens, heads, headDim]));
  if (qkv.size === 0) return { q, k, v };
  native().splitHeads(qkv.device.stream, q.buffer, k.buffer, v.buffer, qkv.buffer, tokens, heads, headDim);
  return { q, k, v };
}

/**
 * Rotates the first dimensions of each head by the angle of the token's position (rotate-half, as in GPT-NeoX); the
 * others pass through.
 * @param x [tokens, heads, headDim]
 * @param positions [tokens] int32
 */
export function rotary(x: Tensor, tables: RotaryTables, positions: Tensor): Tensor {
  expectTensor("rotary", "x", x, [undefined, undefined, undefined]);
  const [tokens, heads, headDim] = x.shape;
  expectTensor("rotary", "positions", positions, [tokens], ["int32"]);
  const rotaryDims = checkRotary("rotary", tables, headDim);
  const out = Tensor.empty(x.device, x.shape);
  if (x.size === 0) return out;
  native().rotary(
    x.device.stream,
    out.buffer,
    x.buffer,
    tables.cos.buffer,
    tables.sin.buffer,
    positions.buffer,
    tokens,
    heads,
    headDim,
    rotaryDims,
    tables.cos.shape[0],
  );
  return out;
}

/** Stores rotated keys and values [tokens, heads, headDim] at the tokens' positions in the cache. */
export function cacheAppend(k: Tensor, v: Tensor, cache: LayerCache): void {
  expectTensor(
    "cacheAppend",
    "cache.keys",
    cache.keys,
    [undefined, undefined, undefined, undefined],
    cacheDTypes,
  );
  expectTensor("cacheAppend", "k", k, [undefined, undefined, cache.keys.shape[3]]);
  expectTensor("cacheAppend", "v", v, k.shape);
  const sizes = checkCache("cacheAppend", cache, k.shape[0], k.shape[1]);
  native().cacheAppend(k.device.stream, k.buffer, v.buffer, ...cacheArguments(sizes, cache));
}

/**
 * Causal softmax(q · k / sqrt(headDim)) over the keys in the cache.
 * @param q [tokens, heads, headDim], rotated
 * @returns [tokens, heads, cache.longest]; entries past a token's own position are 0
 */
export function attentionPattern(q: Tensor, cache: LayerCache): Tensor {
  expectTensor(
    "attentionPattern",
    "cache.keys",
    cache.keys,
    [undefined, undefined, undefined, undefined],
    cacheDTypes,
  );
  expectTensor("attentionPattern", "q", q, [undefined, undefined, cache.keys.shape[3]]);
  const [tokens, heads] = q.shape;
  const sizes = checkCache("attentionPattern", cache, tokens, heads);
  const pattern = Tensor.empty(q.device, [tokens, heads, cache.longest]);
  const { stream } = q.device;
  native().attentionPattern(stream, pattern.buffer, q.buffer, cache.longest, ...cacheArguments(sizes, cache));
  return pattern;
}

/**
 * The values in the cache mixed by an attention pattern.
 * @param pattern [tokens, heads, cache.longest]
 * @returns z [tokens, heads · headDim]
 */
export function attentionValues(pattern: Tensor, cache: LayerCache): Tensor {
  expectTensor("attentionValues", "pattern", pattern, [undefined, undefined, cache.longest]);
  const [tokens, heads] = pattern.shape;
  const sizes = checkCache("attentionValues", cache, tokens, heads);
  const z = Tensor.empty(pattern.device, [tokens, heads * sizes.headDim]);
  const { stream } = pattern.device;
  native().attentionValues(stream, z.buffer, pattern.buffer, cache.longest, ...cacheArguments(sizes, cache));
  return z;
}

function headWidth(op: string, cache: LayerCache, heads: number): number {
  expectTensor(op, "cache.keys", cache.keys, [undefined, heads, undefined, undefined], cacheDTypes);
  return cache.keys.shape[3];
}

function checkCache(
  op: string,
  cache: LayerCache,
  tokens: number,
  heads: number,
  tables?: RotaryTables,
): AttentionSizes {
  const headDim = headWidth(op, cache, heads);
  const [pageCount, , pageTokens] = cache.keys.shape;
  if (heads === 0 || headDim === 0 || pageTokens === 0) {
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `ops.${op}: cache.keys must have heads, positions and dimensions, got [${cache.keys.shape.join(", ")}]`,
    );
  }
  expectTensor(op, "cache.values", cache.values, cache.keys.shape, [cache.keys.dtype]);
  expectTensor(op, "cache.pageTable", cache.pageTable, [undefined, undefined], ["int32"]);
  expectTensor(op, "cache.positions", cache.positions, [tokens], ["int32"]);
  expectTensor(op, "cache.sequences", cache.sequences, [tokens], ["int32"]);
  const [sequenceCount, pagesPerSequence] = cache.pageTable.shape;
  const rotaryDims = tables === undefined ? 0 : checkRotary(op, tables, headDim);
  return { tokens, heads, headDim, rotaryDims, sequenceCount, pagesPerSequence, pageTokens, pageCount };
}

function checkRotary(op: string, tables: RotaryTables, headDim: number): number {
  expectTensor(op, "rotary.cos", tables.cos, [undefined, undefined]);
  expectTensor(op, "rotary.sin", tables.sin, tables.cos.shape);
  const rotaryDims = 2 * tables.cos.shape[1];
  if (rotaryDims > headDim) {
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `ops.${op}: the rotary tables turn ${rotaryDims} dimensions, but a head has ${headDim}`,
    );
  }
  return rotaryDims;
}

function cacheArguments(sizes: AttentionSizes, cache: LayerCache) {
  return [
    sizes,
    cache.positions.buffer,
    cache.sequences.buffer,
    cache.keys.memory,
    cache.values.memory,
    cache.pageTable.buffer,
    cache.keys.scales ?? null,
    cache.values.scales ?? null,
  ] as const;
}

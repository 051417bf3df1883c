import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { scope } from "../../../src/tensor/scope.js";
import { RandomValues } from "../../support/random_values.js";
import * as reference from "../../support/reference_ops.js";
import { bfloat16, expectClose, expectSameBits, float32, instructionSets, int32 } from "./on_device.js";

const pageTokens = 4;
const maxPositions = 40;

interface Shape {
  heads: number;
  headDim: number;
  half: number;
  norm: "none" | "float32" | "bfloat16";
}

/** Random weights of one attention, as values (after rounding) and as tensors. */
function makeWeights(random: RandomValues, { headDim, half, norm }: Shape) {
  const vector = (mean: number) => {
    const values = random.normal(headDim, 0.5, mean);
    return norm === "bfloat16"
      ? { values: reference.roundToBFloat16(values), tensor: bfloat16(values) }
      : { values, tensor: float32(values) };
  };
  const norms =
    norm === "none"
      ? undefined
      : { q: { weight: vector(1), bias: vector(0) }, k: { weight: vector(1), bias: vector(0) } };
  const angles = random.normal(maxPositions * half, 3);
  const tables = { cos: angles.map(Math.cos), sin: angles.map(Math.sin) };
  const tensors = {
    norms: norms && {
      q: { weight: norms.q.weight.tensor, bias: norms.q.bias.tensor },
      k: { weight: norms.k.weight.tensor, bias: norms.k.bias.tensor },
      epsilon: 1e-5,
    },
    rotary: {
      cos: float32(tables.cos, [maxPositions, half]),
      sin: float32(tables.sin, [maxPositions, half]),
    },
  };
  return { norms, tables, tensors };
}

/** An empty cache whose pages are dealt to the sequences in random order, and the batch that stands in it. */
function makeCache(random: RandomValues, shape: Shape, sequences: number) {
  const pagesPerSequence = maxPositions / pageTokens;
  const pageCount = sequences * pagesPerSequence + 1;
  const size = pageCount * shape.heads * pageTokens * shape.headDim;
  const pages = () =>
    float32(new Float32Array(size).fill(Number.NaN), [pageCount, shape.heads, pageTokens, shape.headDim]);
  const table = random.permutation(pageCount).slice(0, sequences * pagesPerSequence);
  const fixed = { keys: pages(), values: pages(), pageTable: int32(table, [sequences, pagesPerSequence]) };
  return (tokens: readonly { sequence: number; position: number }[]) => ({
    ...fixed,
    positions: int32(tokens.map((token) => token.position)),
    sequences: int32(tokens.map((token) => token.sequence)),
    longest: Math.max(1, ...tokens.map((token) => token.position + 1)),
  });
}

/** The steps of one attention by the ops, as model/attention.ts takes them. */
function stepByStep(
  qkv: ReturnType<typeof float32>,
  { heads, norm }: Shape,
  { norms, rotary }: ReturnType<typeof makeWeights>["tensors"],
  cache: ops.LayerCache,
) {
  const split = ops.splitHeads(qkv, heads);
  const q = norm === "none" ? split.q : ops.layerNorm(split.q, norms!.q.weight, norms!.q.bias, 1e-5);
  const k = norm === "none" ? split.k : ops.layerNorm(split.k, norms!.k.weight, norms!.k.bias, 1e-5);
  const qRot = ops.rotary(q, rotary, cache.positions);
  const kRot = ops.rotary(k, rotary, cache.positions);
  ops.cacheAppend(kRot, split.v, cache);
  const pattern = ops.attentionPattern(qRot, cache);
  return { q, k, v: split.v, qRot, kRot, pattern, z: ops.attentionValues(pattern, cache) };
}

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    heads: fc.constantFrom(1, 3, 4),
    headDim: fc.constantFrom(1, 2, 6, 16, 64, 80),
    fraction: fc.constantFrom(0, 0.25, 0.5, 1),
    norm: fc.constantFrom("none" as const, "float32" as const, "bfloat16" as const),
  })
  .map(({ heads, headDim, fraction, norm }) => ({
    heads,
    headDim,
    half: Math.floor((headDim * fraction) / 2),
    // A LayerNorm over one or two numbers is all sign: no tolerance fits it.
    norm: headDim <= 2 ? "none" : norm,
  }));

/** Batches of new tokens for each sequence: how many of each come in each forward pass. */
const batches = fc.array(fc.array(fc.constantFrom(0, 1, 2, 3, 9), { minLength: 3, maxLength: 3 }), {
  minLength: 1,
  maxLength: 4,
});

describe.each(instructionSets)("attention ops on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it("each op and the fused kernel follow the reference over ragged batches, and agree to the bit", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), shapes, batches, (seed, shape, plan) =>
        scope(() => {
          const random = new RandomValues(seed);
          const { heads, headDim, half, norm } = shape;
          const { norms, tables, tensors } = makeWeights(random, shape);
          const unfusedCache = makeCache(new RandomValues(seed + 1), shape, 3);
          const fusedCache = makeCache(new RandomValues(seed + 2), shape, 3);
          const histories = [0, 1, 2].map((): reference.History => ({ keys: [], values: [] }));
          for (const counts of plan) {
            const tokens = counts.flatMap((count, sequence) =>
              Array.from({ length: count }, (_, i) => ({
                sequence,
                position: histories[sequence].keys.length + i,
              })),
            );
            const width = heads * headDim;
            const qkv = random.normal(tokens.length * 3 * width);
            const positions = tokens.map((token) => token.position);
            const input = float32(qkv, [tokens.length, 3 * width]);

            const found = stepByStep(input, shape, tensors, unfusedCache(tokens));
            const [q0, k0, v] = reference.splitHeads(qkv, headDim);
            const normed = (x: Float64Array, which: "q" | "k") =>
              norm === "none"
                ? x
                : reference.layerNorm(x, norms![which].weight.values, norms![which].bias.values, 1e-5);
            const q = normed(q0, "q");
            const k = normed(k0, "k");
            const rotate = (x: Float64Array) =>
              reference.rotary(x, tables.cos, tables.sin, half, heads, headDim, positions);
            const [qRot, kRot] = [rotate(q), rotate(k)];
            expectClose(found.q.dataSync(), q, 1e-4);
            expectClose(found.k.dataSync(), k, 1e-4);
            expectSameBits(found.v.dataSync(), Float32Array.from(v));
            expectClose(found.qRot.dataSync(), qRot, 1e-4);
            expectClose(found.kRot.dataSync(), kRot, 1e-4);
            for (const [t, { sequence }] of tokens.entries()) {
              histories[sequence].keys.push(kRot.subarray(t * width, (t + 1) * width));
              histories[sequence].values.push(v.subarray(t * width, (t + 1) * width));
            }
            const keys = found.pattern.shape[2];
            const pattern = found.pattern.dataSync();
            const z = found.z.dataSync();
            for (const [t, { sequence, position }] of tokens.entries()) {
              const one = qRot.subarray(t * width, (t + 1) * width);
              const wanted = reference.attendOne(one, position, histories[sequence], heads, headDim, keys);
              expectClose(pattern.subarray(t * heads * keys, (t + 1) * heads * keys), wanted.pattern, 1e-4);
              expectClose(z.subarray(t * width, (t + 1) * width), wanted.z, 3e-4);
            }

            const taps = ["q", "k", "v", "qRot", "kRot"] as const;
            const fused = ops.fusedAttention(
              input,
              heads,
              tensors.norms,
              tensors.rotary,
              fusedCache(tokens),
              taps,
            );
            expectSameBits(fused.z.dataSync(), z);
            for (const tap of taps) expectSameBits(fused[tap]!.dataSync(), found[tap].dataSync());
          }
        }),
      ),
      { numRuns: 25 },
    );
  });
});

describe("positions, sequences and pages that do not exist", () => {
  const shape: Shape = { heads: 2, headDim: 16, half: 4, norm: "none" };
  const random = new RandomValues(3);
  const { tensors } = makeWeights(random, shape);
  const good = makeCache(random, shape, 1)([{ sequence: 0, position: 0 }]);
  const qkv = float32(random.normal(96), [1, 96]);
  const allNaN = (values: Float32Array) => values.length > 0 && values.every(Number.isNaN);

  it.each<[string, Partial<ops.LayerCache>]>([
    ["a position past the rotary tables", { positions: int32([maxPositions]) }],
    ["a position far outside", { positions: int32([2 ** 31 - 1]) }],
    ["a negative position", { positions: int32([-1]) }],
    ["a sequence past the page table", { sequences: int32([1]) }],
    ["a negative sequence", { sequences: int32([-1]) }],
    ["a page past the last", { pageTable: int32([good.keys.shape[0]], [1, 1]) }],
    ["a negative page", { pageTable: int32([-1], [1, 1]) }],
    ["a page table without columns", { pageTable: int32([], [1, 0]) }],
    ["a page table without rows", { pageTable: int32([], [0, 4]) }],
  ])("%s: NaN, and nothing is written", (_, wrong) => {
    const cache = { ...good, ...wrong };
    const before = cache.keys.dataSync();
    expect(allNaN(ops.fusedAttention(qkv, 2, undefined, tensors.rotary, cache).z.dataSync())).toBe(true);
    const { q, k, v } = ops.splitHeads(qkv, 2);
    ops.cacheAppend(k, v, cache);
    const pattern = ops.attentionPattern(q, cache);
    expect(allNaN(pattern.dataSync())).toBe(true);
    expect(allNaN(ops.attentionValues(pattern, cache).dataSync())).toBe(true);
    expectSameBits(cache.keys.dataSync(), before);
    // The next call works.
    const after = ops.fusedAttention(qkv, 2, undefined, tensors.rotary, good).z.dataSync();
    expect(after.some(Number.isNaN)).toBe(false);
  });

  it("rotary gives NaN for a position outside its tables", () => {
    const x = float32(random.normal(32), [1, 2, 16]);
    expect(allNaN(ops.rotary(x, tensors.rotary, int32([maxPositions])).dataSync())).toBe(true);
    expect(allNaN(ops.rotary(x, tensors.rotary, int32([-1])).dataSync())).toBe(true);
  });

  it("a pattern shorter than a token's position is NaN", () => {
    const cache = { ...good, positions: int32([3]), longest: 2 };
    const { q } = ops.splitHeads(qkv, 2);
    expect(allNaN(ops.attentionPattern(q, cache).dataSync())).toBe(true);
  });
});

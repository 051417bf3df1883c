import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { codeOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import * as reference from "../../support/reference_module_ops.js";
import { expectClose, expectSameBits, float32, instructionSets, int32, valuesOf } from "./on_device.js";

const pytorch = JSON.parse(readFileSync(new URL("fixtures/pytorch.json", import.meta.url), "utf8")).attention;
const zeros = (...shape: number[]) => float32(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);

describe.each(instructionSets)("attention without a cache on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it("follows the reference", () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 31),
        fc.constantFrom(0, 1, 2, 7, 8, 9, 33, 70),
        fc.constantFrom(1, 15, 17, 520),
        fc.constantFrom(1, 3),
        fc.constantFrom(1, 2, 16, 17, 64, 80),
        fc.constantFrom(undefined, 0.3, 0, -1),
        fc.boolean(),
        (seed, tokens, otherKeys, heads, dim, scale, causal) => {
          const random = new RandomValues(seed);
          const keys = causal ? tokens : otherKeys;
          const q = random.normal(tokens * heads * dim);
          const [k, v] = [0, 1].map(() => random.normal(keys * heads * dim));
          const found = valuesOf(() =>
            ops.attention(
              float32(q, [tokens, heads, dim]),
              float32(k, [keys, heads, dim]),
              float32(v, [keys, heads, dim]),
              { causal, scale },
            ),
          );
          const sizes = { tokens, keys, heads, dim };
          const wanted = reference.attention(q, k, v, sizes, causal, scale ?? 1 / Math.sqrt(dim));
          expectClose(found, wanted, 3e-5);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("agrees with PyTorch", () => {
    const tensor = (which: "q" | "k" | "v") => float32(pytorch[which], pytorch.shape);
    const run = (options: { causal: boolean; scale?: number }) =>
      valuesOf(() => ops.attention(tensor("q"), tensor("k"), tensor("v"), options));
    expectClose(run({ causal: false }), pytorch.full, 1e-5);
    expectClose(run({ causal: true }), pytorch.causal, 1e-5);
    expectClose(run({ causal: true, scale: 0.3 }), pytorch.causalScaled, 1e-5);
  });

  it("gives the bits of the model's attention over a cache", () => {
    for (const [tokens, heads, dim] of [
      [1, 1, 1],
      [13, 2, 80],
      [70, 3, 64],
    ]) {
      const random = new RandomValues(tokens);
      const [q, k, v] = [0, 1, 2].map(() =>
        float32(random.normal(tokens * heads * dim), [tokens, heads, dim]),
      );
      const pages = Math.ceil(tokens / 4);
      const cache: ops.LayerCache = {
        keys: zeros(pages, heads, 4, dim),
        values: zeros(pages, heads, 4, dim),
        pageTable: int32(random.permutation(pages), [1, pages]),
        positions: int32(Array.from({ length: tokens }, (_, i) => i)),
        sequences: int32(new Array<number>(tokens).fill(0)),
        longest: tokens,
      };
      ops.cacheAppend(k, v, cache);
      const wanted = ops.attentionValues(ops.attentionPattern(q, cache), cache);
      expectSameBits(ops.attention(q, k, v, { causal: true }).dataSync(), wanted.dataSync());
    }
  });
});

it("a key that a token does not see may be infinite", () => {
  const q = zeros(2, 1, 1);
  const v = float32([1, Infinity], [2, 1, 1]);
  const k = float32([1, Number.NaN], [2, 1, 1]);
  expect(Array.from(ops.attention(q, k, v, { causal: true }).dataSync())).toEqual([1, Number.NaN]);
});

it("refuses sizes and options that do not fit", () => {
  const causal = { causal: true };
  const full = { causal: false };
  const codes = (f: () => unknown) => codeOf(f);
  expect(codes(() => ops.attention(zeros(2, 2, 4), zeros(3, 2, 4), zeros(3, 2, 4), causal))).toBe(
    "SHAPE_MISMATCH",
  );
  expect(codes(() => ops.attention(zeros(2, 2, 4), zeros(3, 1, 4), zeros(3, 1, 4), full))).toBe(
    "SHAPE_MISMATCH",
  );
  expect(codes(() => ops.attention(zeros(2, 2, 4), zeros(3, 2, 4), zeros(2, 2, 4), full))).toBe(
    "SHAPE_MISMATCH",
  );
  expect(codes(() => ops.attention(zeros(2, 2, 4), zeros(0, 2, 4), zeros(0, 2, 4), full))).toBe(
    "SHAPE_MISMATCH",
  );
  const x = zeros(2, 2, 4);
  expect(codes(() => ops.attention(x, x, x, {} as typeof full))).toBe("ARGUMENT_INVALID");
  expect(codes(() => ops.attention(x, x, x, undefined as never))).toBe("ARGUMENT_INVALID");
  expect(codes(() => ops.attention(x, x, x, { causal: true, scale: Number.NaN }))).toBe("ARGUMENT_INVALID");
  for (const shape of [
    [0, 2, 4],
    [2, 0, 4],
    [2, 2, 0],
  ]) {
    const empty = zeros(...shape);
    expect(ops.attention(empty, empty, empty, causal).shape).toEqual(shape);
  }
});

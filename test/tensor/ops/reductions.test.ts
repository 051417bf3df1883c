import fc from "fast-check";
import { expect, it } from "vitest";
import * as ops from "../../../src/tensor/ops/index.js";
import { codeOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import { expectClose, float32, valuesOf } from "./on_device.js";

const widths = fc.constantFrom(1, 2, 7, 8, 9, 16, 17, 1000, 4099);
const total = (row: Float32Array) => row.reduce((sum, value) => sum + value, 0);

const reductions = {
  sum: [ops.sum, (row: Float32Array) => Array.from(row).reduce((sum, value) => sum + value, 0)],
  mean: [
    ops.mean,
    (row: Float32Array) => Array.from(row).reduce((sum, value) => sum + value, 0) / row.length,
  ],
  max: [ops.max, (row: Float32Array) => Math.max(...row)],
  min: [ops.min, (row: Float32Array) => Math.min(...row)],
} as const;

it.each(Object.entries(reductions))("%s over the last axis", (name, [op, f]) => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), fc.constantFrom(0, 1, 2, 17, 70), widths, (seed, rows, width) => {
      const x = new RandomValues(seed).normal(rows * width, 2, 1);
      const row = (i: number) => x.subarray(i * width, (i + 1) * width);
      const found = valuesOf(() => op(float32(x, [rows, width])));
      const wanted = Array.from({ length: rows }, (_, i) => f(row(i)));
      const isSum = name === "sum" || name === "mean";
      // One rounding to float32, and next to nothing lost in double precision before it.
      const magnitude = (i: number) => Math.abs(wanted[i]) + 1e-8 * total(row(i).map(Math.abs));
      expectClose(found, wanted, isSum ? 6.1e-8 : 0, magnitude);
    }),
    { numRuns: 30 },
  );
});

it("the last axis goes, the others stay", () => {
  const x = float32([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
  expect(ops.sum(x).shape).toEqual([2, 2]);
  expect(Array.from(ops.sum(x).dataSync())).toEqual([3, 7, 11, 15]);
  expect(Array.from(ops.mean(float32([1, 2])).dataSync())).toEqual([1.5]);
  expect(ops.max(float32([1, 2])).shape).toEqual([]);
  expect(Array.from(ops.min(float32([5], [])).dataSync())).toEqual([5]);
});

it("large numbers that cancel do not hide small ones", () => {
  expect(Array.from(ops.sum(float32([1e8, 1, -1e8])).dataSync())).toEqual([1]);
});

it("max and min show NaN and infinities", () => {
  const { NaN: none } = Number;
  const x = float32([1, none, 2, -Infinity, Infinity, 0, none, 1, 1], [3, 3]);
  expect(Array.from(ops.max(x).dataSync())).toEqual([none, Infinity, none]);
  expect(Array.from(ops.min(x).dataSync())).toEqual([none, -Infinity, none]);
});

it("a row of no numbers has the sum 0 and nothing else", () => {
  const empty = float32([], [2, 0]);
  expect(Array.from(ops.sum(empty).dataSync())).toEqual([0, 0]);
  for (const op of [ops.mean, ops.max, ops.min]) expect(codeOf(() => op(empty))).toBe("SHAPE_MISMATCH");
});

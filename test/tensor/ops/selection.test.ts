import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as ops from "../../../src/tensor/ops/index.js";
import { scope } from "../../../src/tensor/scope.js";
import { codeOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import { topColumns } from "../../support/reference_module_ops.js";
import { expectSameBits, float32, int32, valuesOf } from "./on_device.js";

const seeds = fc.nat(2 ** 31);
const rowCounts = fc.constantFrom(0, 1, 2, 17, 70);
const widths = fc.constantFrom(0, 1, 2, 15, 16, 17, 33, 255, 1000);
const shares = fc.constantFrom(0, 0.01, 0.05, 0.3, 0.9, 1);

/** Numbers with many ties, and some infinite or NaN. */
function withTies(random: RandomValues, count: number): Float32Array {
  const odd = [Infinity, -Infinity, Number.NaN, 0, -0];
  return random.normal(count, 3).map((value) => {
    const draw = random.integer(40);
    return draw < odd.length ? odd[draw] : draw < 20 ? value : Math.round(value);
  });
}

describe("the k largest of each row, ties by lower index, NaN first", () => {
  const cases = fc.property(seeds, rowCounts, widths, shares, (seed, rows, width, share) => {
    const x = withTies(new RandomValues(seed), rows * width);
    const k = Math.ceil(share * width);
    const wanted = Array.from({ length: rows }, (_, row) =>
      topColumns(x.subarray(row * width, (row + 1) * width), k),
    );
    scope(() => {
      const { values, indices } = ops.topK(float32(x, [rows, width]), k);
      expect([values.shape, indices.shape, indices.dtype]).toEqual([[rows, k], [rows, k], "int32"]);
      expect(Array.from(indices.dataSync())).toEqual(wanted.flat());
      const kept = wanted.flatMap((columns, row) => columns.map((column) => x[row * width + column]));
      expectSameBits(values.dataSync(), Float32Array.from(kept));
      const sparse = new Float32Array(rows * width);
      for (const [row, columns] of wanted.entries()) {
        for (const column of columns) sparse[row * width + column] = x[row * width + column];
      }
      const found = ops.keepTopK(float32(x, [rows, width]), k);
      expectSameBits(found.dataSync(), sparse);
    });
  });

  it("topK and keepTopK", () => fc.assert(cases, { numRuns: 80 }));

  it("keepTopK takes any shape", () => {
    const x = float32([3, 1, 2, 4, 6, 5, 5, 5], [2, 2, 2]);
    expect(Array.from(valuesOf(() => ops.keepTopK(x, 1)))).toEqual([3, 0, 0, 4, 6, 0, 5, 0]);
    expect(Array.from(valuesOf(() => ops.keepTopK(float32([7], []), 1)))).toEqual([7]);
  });

  it("ARGUMENT_INVALID for a k that a row does not have", () => {
    for (const k of [-1, 1.5, 4, Number.NaN, "2", undefined]) {
      expect(codeOf(() => ops.topK(float32([1, 2, 3], [1, 3]), k as number))).toBe("ARGUMENT_INVALID");
      expect(codeOf(() => ops.keepTopK(float32([1, 2, 3], [1, 3]), k as number))).toBe("ARGUMENT_INVALID");
    }
    expect(codeOf(() => ops.topK(float32([1, 2, 3]), 1))).toBe("SHAPE_MISMATCH");
  });
});

describe("gather", () => {
  it("takes columns of every row, and NaN for a column outside", () => {
    fc.assert(
      fc.property(seeds, rowCounts, widths, fc.constantFrom(0, 1, 5, 40), (seed, rows, width, count) => {
        const random = new RandomValues(seed);
        const x = random.normal(rows * width);
        const columns = Array.from({ length: count }, () => random.integer(width + 2) - 1);
        const found = valuesOf(() => ops.gather(float32(x, [rows, width]), int32(columns)));
        const wanted = Array.from({ length: rows }, (_, row) =>
          columns.map((column) => (column < 0 || column >= width ? Number.NaN : x[row * width + column])),
        );
        expect(Array.from(found)).toEqual(wanted.flat());
      }),
      { numRuns: 40 },
    );
  });

  it("keeps the other axes, and takes any int32 for an index", () => {
    const x = float32([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
    const out = ops.gather(x, int32([1, -(2 ** 31), 2 ** 31 - 1]));
    expect(out.shape).toEqual([2, 2, 3]);
    const { NaN: none } = Number;
    expect(Array.from(out.dataSync())).toEqual([2, none, none, 4, none, none, 6, none, none, 8, none, none]);
    expect(codeOf(() => ops.gather(x, int32([0], [1, 1])))).toBe("SHAPE_MISMATCH");
    expect(codeOf(() => ops.gather(x, float32([0])))).toBe("DTYPE_MISMATCH");
  });
});

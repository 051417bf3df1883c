import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as ops from "../../../src/tensor/ops/index.js";
import { scope } from "../../../src/tensor/scope.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { codeOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import { roundToBFloat16 } from "../../support/reference_ops.js";
import { bfloat16, expectSameBits, float32, int32, valuesOf } from "./on_device.js";

const seeds = fc.nat(2 ** 31);
const sizes: fc.Arbitrary<number> = fc.constantFrom(0, 1, 2, 3, 16, 33);
const shapes = fc.array(sizes, { minLength: 1, maxLength: 4 });
const dtypes = fc.constantFrom("float32" as const, "int32" as const, "bfloat16" as const);
const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** Small whole numbers, which all element types hold, in order. */
function numbered(dtype: "float32" | "int32" | "bfloat16", shape: number[], start = 0): Tensor {
  const values = Float32Array.from({ length: count(shape) }, (_, i) => (start + i) % 251);
  if (dtype === "int32") return int32(values, shape);
  return dtype === "float32" ? float32(values, shape) : bfloat16(roundToBFloat16(values), shape);
}

/** The index of each element of a part of a tensor, of which `axis` runs from `start` to `end`. */
function indicesOf(shape: number[], axis: number, start: number, end: number): number[] {
  const step = count(shape.slice(axis + 1));
  return Array.from({ length: count(shape) }, (_, i) => i).filter((i) => {
    const at = Math.floor(i / step) % shape[axis];
    return at >= start && at < end;
  });
}

describe("slice and concat", () => {
  it("slice takes a part of any axis", () => {
    fc.assert(
      fc.property(seeds, shapes, dtypes, (seed, shape, dtype) => {
        const random = new RandomValues(seed);
        const axis = random.integer(shape.length);
        const start = random.integer(shape[axis] + 1);
        const end = start + random.integer(shape[axis] - start + 1);
        scope(() => {
          const x = numbered(dtype, shape);
          const all = x.dataSync();
          const found = ops.slice(x, axis, start, end);
          expect(found.shape).toEqual(shape.with(axis, end - start));
          expect(found.dtype).toBe(dtype);
          const wanted = indicesOf(shape, axis, start, end).map((i) => all[i]);
          expectSameBits(found.dataSync(), Float32Array.from(wanted));
        });
      }),
      { numRuns: 100 },
    );
  });

  it("what concat puts together slice takes apart", () => {
    fc.assert(
      fc.property(
        seeds,
        shapes,
        dtypes,
        fc.array(sizes, { minLength: 1, maxLength: 4 }),
        (seed, shape, dtype, lengths) => {
          const axis = new RandomValues(seed).integer(shape.length);
          scope(() => {
            const parts = lengths.map((length, i) => numbered(dtype, shape.with(axis, length), 100 * i));
            const whole = ops.concat(parts, axis);
            expect(whole.dtype).toBe(dtype);
            const total = lengths.reduce((sum, length) => sum + length, 0);
            expect(whole.shape).toEqual(shape.with(axis, total));
            let start = 0;
            for (const [i, part] of parts.entries()) {
              const found = ops.slice(whole, axis, start, start + lengths[i]);
              expectSameBits(found.dataSync(), part.dataSync());
              start += lengths[i];
            }
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("concat along the last axis interleaves rows", () => {
    const out = ops.concat([float32([1, 2, 3, 4], [2, 2]), float32([5, 6], [2, 1])], 1);
    expect(Array.from(out.dataSync())).toEqual([1, 2, 5, 3, 4, 6]);
  });

  it("refuse what they cannot do", () => {
    const x = float32([1, 2, 3, 4], [2, 2]);
    for (const [axis, start, end] of [
      [2, 0, 1],
      [-1, 0, 1],
      [0.5, 0, 1],
      [0, -1, 1],
      [0, 1, 0],
      [0, 0, 3],
      [0, 0, Number.NaN],
    ]) {
      expect(codeOf(() => ops.slice(x, axis, start, end))).toBe("INDEX_OUT_OF_RANGE");
    }
    expect(codeOf(() => ops.slice(float32([1], []), 0, 0, 1))).toBe("INDEX_OUT_OF_RANGE");
    expect(codeOf(() => ops.concat([], 0))).toBe("ARGUMENT_INVALID");
    expect(codeOf(() => ops.concat(x as never, 0))).toBe("ARGUMENT_INVALID");
    expect(codeOf(() => ops.concat([x, 3 as never], 0))).toBe("ARGUMENT_INVALID");
    expect(codeOf(() => ops.concat([x], 2))).toBe("INDEX_OUT_OF_RANGE");
    expect(codeOf(() => ops.concat([x, float32([1, 2, 3], [1, 3])], 0))).toBe("SHAPE_MISMATCH");
    expect(codeOf(() => ops.concat([x, float32([1, 2])], 0))).toBe("SHAPE_MISMATCH");
    expect(codeOf(() => ops.concat([x, int32([1, 2], [1, 2])], 0))).toBe("DTYPE_MISMATCH");
  });
});

describe("transpose", () => {
  it("exchanges the last two axes", () => {
    const lengths = fc.constantFrom(0, 1, 2, 31, 32, 33, 100);
    fc.assert(
      fc.property(fc.constantFrom([], [1], [3], [2, 2]), lengths, lengths, (outer, rows, columns) => {
        const shape = [...outer, rows, columns];
        const x = Float32Array.from({ length: count(shape) }, (_, i) => i);
        const found = valuesOf(() => {
          const out = ops.transpose(float32(x, shape));
          expect(out.shape).toEqual([...outer, columns, rows]);
          return out;
        });
        const wanted = x.map((_, i) => {
          const inside = i % (rows * columns);
          return i - inside + (inside % rows) * columns + Math.floor(inside / rows);
        });
        expectSameBits(found, wanted);
      }),
      { numRuns: 60 },
    );
  });

  it("needs two axes", () => {
    expect(codeOf(() => ops.transpose(float32([1, 2])))).toBe("SHAPE_MISMATCH");
    expect(codeOf(() => ops.transpose(float32([1], [])))).toBe("SHAPE_MISMATCH");
  });
});

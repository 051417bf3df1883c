import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { codeOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import { device, expectSameBits, float32, instructionSets, valuesOf } from "./on_device.js";

const seeds = fc.nat(2 ** 31);
const rowCounts = fc.constantFrom(0, 1, 2, 17, 70);
const widths = fc.constantFrom(1, 2, 15, 16, 17, 33, 255, 1000, 4099);
const binary = {
  add: [ops.add, (a: number, b: number) => a + b],
  sub: [ops.sub, (a: number, b: number) => a - b],
  mul: [ops.mul, (a: number, b: number) => a * b],
} as const;

describe.each(instructionSets)("arithmetic on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it.each(Object.entries(binary))("%s is rounded once, broadcast or not, from either side", (_, [op, f]) => {
    const spreads = fc.constantFrom("all", "row", "number");
    fc.assert(
      fc.property(seeds, rowCounts, widths, spreads, fc.boolean(), (seed, rows, width, spread, isSwapped) => {
        const random = new RandomValues(seed);
        const large = random.normal(rows * width, 3);
        const shape = { all: [rows, width], row: [width], number: [1] }[spread];
        const small = random.normal(
          shape.reduce((product, size) => product * size, 1),
          3,
        );
        const wanted = large.map((value, i) => {
          const other = small[spread === "all" ? i : spread === "row" ? i % width : 0];
          return isSwapped ? f(other, value) : f(value, other);
        });
        const found = valuesOf(() => {
          const tensors = [float32(large, [rows, width]), float32(small, shape)];
          const [a, b] = isSwapped ? tensors.reverse() : tensors;
          const out = op(a, b);
          expect(out.shape).toEqual([rows, width]);
          return out;
        });
        expectSameBits(found, wanted);
      }),
      { numRuns: 30 },
    );
  });

  it("scale is rounded once", () => {
    fc.assert(
      fc.property(
        seeds,
        rowCounts,
        widths,
        fc.constantFrom(0, 1, -0.3, 1e30),
        (seed, rows, width, factor) => {
          const x = new RandomValues(seed).normal(rows * width);
          const found = valuesOf(() => ops.scale(float32(x, [rows, width]), factor));
          expectSameBits(
            found,
            x.map((value) => value * Math.fround(factor)),
          );
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe.each(Object.entries(binary))("%s", (_, [op]) => {
  const zeros = (...shape: number[]) => float32(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);

  it("takes one number of any rank and rows of any batch", () => {
    expect(op(zeros(2, 3, 4), zeros(4)).shape).toEqual([2, 3, 4]);
    expect(op(zeros(4), zeros(2, 3, 4)).shape).toEqual([2, 3, 4]);
    expect(op(zeros(2, 3), zeros()).shape).toEqual([2, 3]);
    expect(op(zeros(1, 1), zeros(2, 3)).shape).toEqual([2, 3]);
    expect(op(zeros(1), zeros(1, 1)).shape).toEqual([1, 1]);
    expect(op(zeros(3, 0), zeros(0)).shape).toEqual([3, 0]);
    expect(op(zeros(0, 3), zeros(3)).shape).toEqual([0, 3]);
    device.stream.synchronize();
  });

  it("SHAPE_MISMATCH names both shapes", () => {
    for (const [a, b] of [
      [zeros(2, 3), zeros(3, 2)],
      [zeros(2, 3), zeros(2)],
      [zeros(2, 3), zeros(1, 3)],
      [zeros(2, 3), zeros(2, 1)],
      [zeros(3), zeros(0)],
      [zeros(2, 3), zeros(1, 2, 3)],
    ]) {
      expect(codeOf(() => op(a, b))).toBe("SHAPE_MISMATCH");
      expect(() => op(a, b)).toThrow(`[${a.shape.join(", ")}] and [${b.shape.join(", ")}]`);
    }
  });
});

it("scale refuses what is no number of float32", () => {
  for (const factor of [Number.NaN, Infinity, 1e39, "2", undefined]) {
    expect(codeOf(() => ops.scale(float32([1]), factor as number))).toBe("ARGUMENT_INVALID");
  }
});

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { codeOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import * as reference from "../../support/reference_module_ops.js";
import { roundToBFloat16 } from "../../support/reference_ops.js";
import {
  bfloat16,
  device,
  expectClose,
  expectSameBits,
  float32,
  instructionSets,
  valuesOf,
} from "./on_device.js";

const pytorch = JSON.parse(readFileSync(new URL("fixtures/pytorch.json", import.meta.url), "utf8")).rmsNorm;
const seeds = fc.nat(2 ** 31);
const zeros = (...shape: number[]) => float32(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);

describe.each(instructionSets)("matmul and rmsNorm on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it("matmul of matrices and of batches", () => {
    const batches = fc.constantFrom(undefined, 0, 1, 3);
    const rowCounts = fc.constantFrom(0, 1, 2, 5, 8, 9, 17, 130);
    const inners = fc.constantFrom(0, 1, 2, 31, 64, 257, 600);
    const columnCounts = fc.constantFrom(0, 1, 15, 16, 17, 48, 49, 100);
    fc.assert(
      fc.property(seeds, batches, rowCounts, inners, columnCounts, (seed, batch, rows, inner, columns) => {
        const random = new RandomValues(seed);
        const pairs = batch ?? 1;
        const a = random.normal(pairs * rows * inner);
        const b = random.normal(pairs * inner * columns);
        const outer = batch === undefined ? [] : [batch];
        const found = valuesOf(() => {
          const out = ops.matmul(float32(a, [...outer, rows, inner]), float32(b, [...outer, inner, columns]));
          expect(out.shape).toEqual([...outer, rows, columns]);
          return out;
        });
        const sizes = [pairs, rows, inner, columns] as const;
        const magnitude = reference.matmul(a.map(Math.abs), b.map(Math.abs), ...sizes);
        expectClose(found, reference.matmul(a, b, ...sizes), 1e-6, (i) => magnitude[i]);
      }),
      { numRuns: 40 },
    );
  });

  it("matmul leaves out nothing where numbers are infinite", () => {
    const a = float32([Infinity, 1, 0, 1], [2, 2]);
    const found = valuesOf(() => ops.matmul(a, float32([1, 2, 3, 4], [2, 2])));
    expect(Array.from(found)).toEqual([Infinity, Infinity, 3, 4]);
  });

  it("rmsNorm", () => {
    const widths = fc.constantFrom(1, 2, 15, 16, 17, 33, 80, 129, 1000);
    fc.assert(
      fc.property(
        seeds,
        fc.constantFrom(0, 1, 2, 17, 70),
        widths,
        fc.constantFrom(1e-6, 0, 0.5),
        fc.boolean(),
        (seed, rows, width, epsilon, isBFloat16) => {
          const random = new RandomValues(seed);
          const x = random.normal(rows * width, 2, 1);
          const weight = random.normal(width);
          const found = valuesOf(() =>
            ops.rmsNorm(float32(x, [rows, width]), isBFloat16 ? bfloat16(weight) : float32(weight), epsilon),
          );
          const wanted = reference.rmsNorm(x, isBFloat16 ? roundToBFloat16(weight) : weight, epsilon);
          expectClose(found, wanted, 1e-6, (i) => Math.abs(wanted[i]));
        },
      ),
      { numRuns: 30 },
    );
  });

  it("rmsNorm agrees with PyTorch", () => {
    const { x, weight, epsilon, out } = pytorch;
    const found = valuesOf(() => ops.rmsNorm(float32(x, [3, 19]), float32(weight), epsilon));
    expectClose(found, out, 1e-6, (i) => Math.abs(out[i]));
  });
});

it("a product with the identity is exact", () => {
  const x = new RandomValues(3).normal(40 * 40);
  const identity = Float32Array.from({ length: 1600 }, (_, i) => (i % 41 === 0 ? 1 : 0));
  expectSameBits(
    valuesOf(() => ops.matmul(float32(x, [40, 40]), float32(identity, [40, 40]))),
    x,
  );
});

it("SHAPE_MISMATCH names both shapes", () => {
  for (const [a, b] of [
    [zeros(2, 3), zeros(2, 3)],
    [zeros(2, 3), zeros(3)],
    [zeros(3), zeros(3, 2)],
    [zeros(2, 2, 3), zeros(3, 2)],
    [zeros(2, 2, 3), zeros(1, 3, 2)],
    [zeros(1, 1, 2, 3), zeros(1, 1, 3, 2)],
    [zeros(), zeros()],
  ]) {
    expect(codeOf(() => ops.matmul(a, b))).toBe("SHAPE_MISMATCH");
    expect(() => ops.matmul(a, b)).toThrow(`[${a.shape.join(", ")}] and [${b.shape.join(", ")}]`);
  }
  expect(codeOf(() => ops.rmsNorm(zeros(2, 3), zeros(2), 0))).toBe("SHAPE_MISMATCH");
  expect(codeOf(() => ops.rmsNorm(zeros(2, 3), zeros(3), Number.NaN))).toBe("ARGUMENT_INVALID");
  expect(ops.rmsNorm(zeros(3, 0), zeros(0), 0).shape).toEqual([3, 0]);
  device.stream.synchronize();
});

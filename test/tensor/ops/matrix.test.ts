import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import { Device } from "../../../src/tensor/device.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { Tensor } from "../../../src/tensor/tensor.js";
import { RandomValues } from "../../support/random_values.js";
import * as reference from "../../support/reference_ops.js";
import {
  bfloat16,
  device,
  expectClose,
  expectSameBits,
  float32,
  instructionSets,
  int32,
  valuesOf,
} from "./on_device.js";

const seeds = fc.nat(2 ** 31);
const rowCounts = fc.constantFrom(0, 1, 2, 5, 17, 70);
const features = fc.constantFrom(1, 2, 3, 15, 16, 31, 48, 64, 80, 129, 256);
const dtypes = fc.constantFrom("float32" as const, "bfloat16" as const);

/** Weights as a tensor, and the values that it holds after rounding. */
function weights(dtype: "float32" | "bfloat16", values: Float32Array, shape: readonly number[]) {
  return dtype === "float32"
    ? { tensor: float32(values, shape), values }
    : { tensor: bfloat16(values, shape), values: reference.roundToBFloat16(values) };
}

/** The nearest whole number, to even between two. */
function nearest(value: number): number {
  const below = Math.floor(value);
  const over = value - below;
  return over > 0.5 || (over === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** As `weights`, also as int8: whole numbers of 1/127 of the largest of each row. */
function matrix(dtype: "float32" | "bfloat16" | "int8", values: Float32Array, shape: readonly number[]) {
  if (dtype !== "int8") return weights(dtype, values, shape);
  const [, columns] = shape;
  const rounded = values.map((value, i) => {
    const start = i - (i % columns);
    const row = values.subarray(start, start + columns).map(Math.abs);
    const scale = Math.fround(row.reduce((a, b) => Math.max(a, b)) / 127);
    return nearest(Math.fround(value / scale)) * scale;
  });
  return { tensor: float32(values, shape).toInt8(), values: rounded };
}

/** Each 32 numbers of a row as whole numbers of 1/127 of the largest, to even between two: what int8 rows are multiplied with. */
function roundedActivations(x: Float32Array, width: number): Float32Array {
  return x.map((value, i) => {
    const column = i % width;
    const first = i - (column % 32);
    const group = x.subarray(first, Math.min(first + 32, i - column + width));
    const largest = group.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    return largest === 0 ? 0 : nearest(value * Math.fround(127 / largest)) * Math.fround(largest / 127);
  });
}

it("bfloat16 rounds to nearest even", () => {
  const values = new RandomValues(1).normal(4099, 100);
  values.set([1 + 2 ** -8, 1 + 3 * 2 ** -8, 0, -0, 3.4e38, 1e-40, Infinity, -Infinity]);
  expectSameBits(
    valuesOf(() => bfloat16(values)),
    reference.roundToBFloat16(values),
  );
});

describe.each(instructionSets)("matrix ops on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it("linear", () => {
    fc.assert(
      fc.property(
        seeds,
        rowCounts,
        features,
        features,
        fc.constantFrom("float32" as const, "bfloat16" as const, "int8" as const),
        fc.boolean(),
        fc.boolean(),
        (seed, rows, inFeatures, outFeatures, dtype, hasBias, isColumnMajor) => {
          const random = new RandomValues(seed);
          // Half of the numbers are zero, as after squared ReLU.
          const x = random.normal(rows * inFeatures).map((value) => Math.max(value, 0));
          const w = matrix(dtype, random.normal(outFeatures * inFeatures), [outFeatures, inFeatures]);
          const biasType = dtype === "int8" ? "float32" : dtype;
          const b = hasBias ? weights(biasType, random.normal(outFeatures), [outFeatures]) : undefined;
          const args = [inFeatures, outFeatures, rows] as const;
          const used = dtype === "int8" ? roundedActivations(x, inFeatures) : x;
          const wanted = reference.linear(used, w.values, b?.values, ...args);
          const abs = (values: Float32Array) => values.map(Math.abs);
          const magnitude = reference.linear(abs(x), abs(w.values), b && abs(b.values), ...args);
          const found = valuesOf(() => {
            const weight = isColumnMajor ? w.tensor.toColumnMajor() : w.tensor;
            expect(weight.isColumnMajor).toBe(isColumnMajor);
            return ops.linear(float32(x, [rows, inFeatures]), weight, b?.tensor);
          });
          expectClose(found, wanted, 1e-6, (i) => magnitude[i]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("linearWhere", () => {
    fc.assert(
      fc.property(
        seeds,
        rowCounts,
        features,
        features,
        dtypes,
        (seed, rows, inFeatures, outFeatures, dtype) => {
          const random = new RandomValues(seed);
          const x = random.normal(rows * inFeatures);
          const w = weights(dtype, random.normal(outFeatures * inFeatures), [outFeatures, inFeatures]);
          const b = weights(dtype, random.normal(outFeatures), [outFeatures]);
          const gate = random.normal(rows * outFeatures).map((value) => (value > 2 ? Number.NaN : value));
          const whole = reference.linear(x, w.values, b.values, inFeatures, outFeatures, rows);
          const found = valuesOf(() =>
            ops.linearWhere(
              float32(x, [rows, inFeatures]),
              w.tensor,
              b.tensor,
              float32(gate, [rows, outFeatures]),
            ),
          );
          const wanted = whole.map((value, i) => (gate[i] <= 0 ? 0 : value));
          expectClose(found, wanted, 1e-6, () => inFeatures);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("layerNorm", () => {
    fc.assert(
      fc.property(
        seeds,
        rowCounts,
        features,
        dtypes,
        fc.constantFrom(1e-5, 0, 0.5),
        (seed, rows, width, dtype, epsilon) => {
          // Without epsilon a row of one number is 0 / 0.
          fc.pre(width > 1 || epsilon > 0);
          const random = new RandomValues(seed);
          const x = random.normal(rows * width, 2, 3);
          const w = weights(dtype, random.normal(width), [width]);
          const b = weights(dtype, random.normal(width), [width]);
          expectClose(
            valuesOf(() => ops.layerNorm(float32(x, [rows, width]), w.tensor, b.tensor, epsilon)),
            reference.layerNorm(x, w.values, b.values, epsilon),
            // Two numbers that are nearly equal lose the digits that they share.
            width === 2 ? 1e-2 : 2e-5,
            () => 10,
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it("embedding copies rows exactly, and an id outside the table gives NaN", () => {
    fc.assert(
      fc.property(seeds, rowCounts, features, dtypes, (seed, tokens, hidden, dtype) => {
        const random = new RandomValues(seed);
        const table = weights(dtype, random.normal(11 * hidden), [11, hidden]);
        const ids = Array.from({ length: tokens }, () => random.integer(13) - 1);
        const found = valuesOf(() => ops.embedding(table.tensor, int32(ids)));
        const wanted = Float32Array.from(reference.embedding(table.values, hidden, ids));
        expect(Array.from(found)).toEqual(Array.from(wanted));
      }),
      { numRuns: 30 },
    );
  });

  it.each(["int8", "int4"] as const)("embedding widens rows of %s in either order of memory", (dtype) => {
    const size = dtype === "int8" ? features : fc.integer({ min: 1, max: 5 }).map((groups) => 32 * groups);
    fc.assert(
      fc.property(seeds, rowCounts, size, fc.boolean(), (seed, tokens, hidden, byColumns) => {
        const random = new RandomValues(seed);
        const rows = 1 + random.integer(40);
        const plain = float32(random.normal(rows * hidden), [rows, hidden]);
        const rounded = dtype === "int8" ? plain.toInt8() : plain.toInt4();
        const table = byColumns ? rounded.toColumnMajor() : rounded;
        const ids = Array.from({ length: tokens }, () => random.integer(rows + 2) - 1);
        const found = valuesOf(() => ops.embedding(table, int32(ids)));
        const wanted = Float32Array.from(reference.embedding(rounded.dataSync(), hidden, ids));
        const withoutSignedZeros = (values: Float32Array) => Array.from(values, (value) => value + 0);
        expect(withoutSignedZeros(found)).toEqual(withoutSignedZeros(wanted));
      }),
      { numRuns: 40 },
    );
  });

  it("a row of linear and layerNorm does not depend on its neighbours or the number of threads", () => {
    const random = new RandomValues(5);
    const [inFeatures, outFeatures, rows] = [129, 70, 70];
    const x = random.normal(rows * inFeatures);
    const matrix = random.normal(outFeatures * inFeatures);
    const vector = random.normal(inFeatures);
    const run = (at: Device, from: number, to: number) => {
      const part = Tensor.from(at, x.slice(from * inFeatures, to * inFeatures), [to - from, inFeatures]);
      const on = (values: Float32Array, shape: number[]) => Tensor.from(at, values, shape);
      const normed = ops.layerNorm(part, on(vector, [inFeatures]), on(vector, [inFeatures]), 1e-5);
      return ops.linear(normed, on(matrix, [outFeatures, inFeatures])).dataSync();
    };
    const together = run(device, 0, rows);
    for (const [from, to] of [
      [0, 1],
      [3, 5],
      [10, 27],
      [69, 70],
    ]) {
      const alone = run(Device.cpu(to % 2 === 0 ? 2 : 1), from, to);
      expectSameBits(alone, together.slice(from * outFeatures, to * outFeatures));
    }
  });

  it("bfloat16 weights give the bits of float32 weights of the same values", () => {
    const random = new RandomValues(6);
    const values = random.normal(33 * 80);
    const x = float32(random.normal(5 * 80), [5, 80]);
    const narrow = valuesOf(() => ops.linear(x, bfloat16(values, [33, 80])));
    const wide = valuesOf(() => ops.linear(x, float32(reference.roundToBFloat16(values), [33, 80])));
    expectSameBits(narrow, wide);
  });
});

it("linear of no features is its bias, and layerNorm of no features is empty", () => {
  const empty = float32(new Float32Array(0), [3, 0]);
  const bias = float32([1, 2]);
  const out = ops.linear(empty, float32(new Float32Array(0), [2, 0]), bias);
  expect(Array.from(out.dataSync())).toEqual([1, 2, 1, 2, 1, 2]);
  const none = float32([]);
  expect(ops.layerNorm(empty, none, none, 1e-5).dataSync()).toEqual(new Float32Array(0));
});

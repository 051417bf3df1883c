import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import * as ops from "../../../src/tensor/ops/index.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { codeOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import * as reference from "../../support/reference_module_ops.js";
import { expectClose, float32, instructionSets, valuesOf } from "./on_device.js";

const pytorch = JSON.parse(
  readFileSync(new URL("fixtures/pytorch.json", import.meta.url), "utf8"),
).elementwise;

const activations: Record<string, (x: Tensor) => Tensor> = {
  relu: ops.relu,
  gelu: ops.gelu,
  geluTanh: (x) => ops.gelu(x, { approximate: "tanh" }),
  silu: ops.silu,
  sigmoid: ops.sigmoid,
  tanh: ops.tanh,
};
const smooth = Object.entries(activations).filter(([name]) => name !== "relu");

/** A rounding of what goes into exp, which is of the order of x² or x³ / 14, makes an error of that order. */
const allowed = (x: number, wanted: number) =>
  (6e-7 + 1e-7 * (x * x + Math.abs(x) ** 3 / 5)) * Math.abs(wanted) + 1e-35;

describe.each(instructionSets)("activations on %s", (set) => {
  beforeEach(() => expect(native().setInstructionSet(set)).toBe(true));

  it.each(Object.entries(activations))("%s is near the reference at any size of x", (name, op) => {
    const f = reference.activations[name];
    fc.assert(
      fc.property(
        fc.nat(2 ** 31),
        fc.constantFrom(0, 1, 2, 17),
        fc.constantFrom(1, 15, 16, 17, 33, 1000, 20_000),
        fc.constantFrom(1e-20, 0.01, 1, 5),
        (seed, rows, width, deviation) => {
          const x = new RandomValues(seed).normal(rows * width, deviation);
          const wanted = Array.from(x, f);
          const found = valuesOf(() => op(float32(x, [rows, width])));
          expectClose(found, wanted, 1, (i) => allowed(x[i], wanted[i]));
        },
      ),
      { numRuns: 15 },
    );
  });

  it.each(smooth)("%s agrees with PyTorch", (name, op) => {
    const found = valuesOf(() => op(float32(pytorch.x)));
    // In PyTorch 1 + erf and 1 + tanh cancel for negative x, in double precision too.
    expectClose(found, pytorch[name], 1, (i) => allowed(pytorch.x[i], pytorch[name][i]) + 1e-14);
  });

  it("limits and NaN", () => {
    const x = [Infinity, 100, -100, 0, Number.NaN, -Infinity];
    const { NaN: none } = Number;
    const wanted: Record<string, number[]> = {
      relu: [Infinity, 100, 0, 0, none, 0],
      gelu: [Infinity, 100, -0, 0, none, none],
      geluTanh: [Infinity, 100, -0, 0, none, none],
      silu: [Infinity, 100, -0, 0, none, none],
      sigmoid: [1, 1, 0, 0.5, none, 0],
      tanh: [1, 1, -1, 0, none, -1],
    };
    for (const [name, op] of Object.entries(activations)) {
      expect([name, ...valuesOf(() => op(float32(x)))]).toEqual([name, ...wanted[name]]);
    }
  });
});

it("shapes stay as they are, a scalar and axes of size 0 included", () => {
  for (const shape of [[], [0], [3, 0], [0, 3], [2, 3, 4]]) {
    const x = float32(new Float32Array(shape.reduce((product, size) => product * size, 1)), shape);
    for (const op of Object.values(activations)) expect(op(x).shape).toEqual(shape);
  }
});

it("gelu refuses another approximation", () => {
  const wrong = { approximate: "sigmoid" as "tanh" };
  expect(codeOf(() => ops.gelu(float32([1]), wrong))).toBe("ARGUMENT_INVALID");
});

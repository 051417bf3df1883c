import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { RandomValues } from "../../support/random_values.js";
import * as reference from "../../support/reference_ops.js";
import { device, expectClose, expectSameBits, float32, instructionSets, valuesOf } from "./on_device.js";

const seeds = fc.nat(2 ** 31);
const rows = fc.constantFrom(0, 1, 2, 17, 70);
const widths = fc.constantFrom(1, 2, 3, 15, 16, 17, 33, 255, 1000, 4099);

describe.each(instructionSets)("elementwise ops on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it("add and reluSquared are exact in float32", () => {
    fc.assert(
      fc.property(seeds, rows, widths, (seed, r, width) => {
        const random = new RandomValues(seed);
        const a = random.normal(r * width, 3);
        const b = random.normal(r * width, 3);
        const sum = valuesOf(() => ops.add(float32(a, [r, width]), float32(b, [r, width])));
        expectSameBits(sum, Float32Array.from(reference.add(a, b)));
        const act = valuesOf(() => ops.reluSquared(float32(a, [r, width])));
        expectSameBits(act, Float32Array.from(reference.reluSquared(a)));
      }),
      { numRuns: 20 },
    );
  });

  it("softmax and logSoftmax are near the reference at any scale of the logits", () => {
    fc.assert(
      fc.property(seeds, rows, widths, fc.constantFrom(0.01, 1, 30), (seed, r, width, deviation) => {
        const random = new RandomValues(seed);
        const x = random.normal(r * width, deviation, 50 * random.uniform());
        const wanted = reference.softmax(x, width);
        expectClose(
          valuesOf(() => ops.softmax(float32(x, [r, width]))),
          wanted,
          3e-6,
          (i) => wanted[i] + 1e-6,
        );
        const logs = reference.logSoftmax(x, width);
        expectClose(
          valuesOf(() => ops.logSoftmax(float32(x, [r, width]))),
          logs,
          1e-6,
          (i) => Math.abs(logs[i]) + Math.abs(x[i]) + 1,
        );
      }),
      { numRuns: 20 },
    );
  });

  it("softmax gives a masked logit of −∞ exactly zero", () => {
    const x = [1, -Infinity, 2, -Infinity];
    expectClose(
      valuesOf(() => ops.softmax(float32(x, [1, 4]))),
      reference.softmax(x, 4),
      1e-6,
    );
    expect(valuesOf(() => ops.softmax(float32(x, [1, 4])))[1]).toBe(0);
    expect(valuesOf(() => ops.logSoftmax(float32(x, [1, 4])))[3]).toBe(-Infinity);
  });
});

it("shapes stay as they are, a scalar and axes of size 0 included", () => {
  for (const shape of [[], [0], [3, 0], [0, 3], [2, 3, 4]]) {
    const x = float32(new Float32Array(shape.reduce((product, size) => product * size, 1)), shape);
    for (const op of [ops.softmax, ops.logSoftmax, ops.reluSquared]) expect(op(x).shape).toEqual(shape);
    expect(ops.add(x, x).shape).toEqual(shape);
  }
  device.stream.synchronize();
});

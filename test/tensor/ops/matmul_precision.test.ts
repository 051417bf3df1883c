import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import { Device } from "../../../src/tensor/device.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { codeOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import * as reference from "../../support/reference_ops.js";
import { bfloat16, expectClose, expectSameBits, float32, instructionSets, valuesOf } from "./on_device.js";

const [highest, medium] = [Device.cpu(2), Device.cpu(2, "medium")];

describe("Device.cpu(threads, matmulPrecision)", () => {
  it("is one device for the same arguments", () => {
    expect(Device.cpu(2, "medium")).toBe(medium);
    expect(Device.cpu(2, "highest")).toBe(highest);
    expect([highest.matmulPrecision, medium.matmulPrecision]).toEqual(["highest", "medium"]);
  });

  it("refuses other words", () => {
    const call = () => Device.cpu(2, "high" as "highest");
    expect(codeOf(call)).toBe("OPTION_INVALID");
    expect(call).toThrow('matmulPrecision must be "highest" or "medium", got "high"');
  });
});

describe.each(instructionSets.filter((name) => name !== "avx512-amx"))("medium precision on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it("rounds the activations that meet bfloat16 weights where that is faster, and keeps sums in float32", () => {
    const size = fc.integer({ min: 1, max: 70 });
    fc.assert(
      fc.property(
        fc.nat(),
        size,
        size,
        size,
        fc.boolean(),
        (seed, rows, inFeatures, outFeatures, byInput) => {
          const random = new RandomValues(seed);
          const x = random.normal(rows * inFeatures).map((value) => Math.max(value, 0));
          const w = reference.roundToBFloat16(random.normal(outFeatures * inFeatures));
          const run = (device: Device) =>
            valuesOf(() => {
              const weight = bfloat16(w, [outFeatures, inFeatures], device);
              return ops.linear(
                float32(x, [rows, inFeatures], device),
                byInput ? weight.toColumnMajor() : weight,
              );
            });
          const found = run(medium);
          if (name !== "avx512-bf16") return expectSameBits(found, run(highest));
          const args = [inFeatures, outFeatures, rows] as const;
          const wanted = reference.linear(reference.roundToBFloat16(x), w, undefined, ...args);
          const magnitude = reference.linear(x, w.map(Math.abs), undefined, ...args);
          expectClose(found, wanted, 1e-6, (i) => magnitude[i]);
        },
      ),
      { numRuns: 40 },
    );
  });
});

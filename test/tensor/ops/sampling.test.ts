import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { RandomValues } from "../../support/random_values.js";
import * as reference from "../../support/reference_ops.js";
import { device, expectClose, float32, instructionSets, int32, valuesOf } from "./on_device.js";

const seeds = fc.nat(2 ** 31);
const rowCounts = fc.constantFrom(0, 1, 2, 17);
const widths = fc.constantFrom(1, 2, 3, 17, 100, 1000, 5000);

function draws(
  logits: ArrayLike<number>,
  width: number,
  options: { temperature: number; topK: number; topP: number },
  uniform: Float64Array,
): number[] {
  const tensor = float32(logits, [uniform.length, width]);
  return Array.from(valuesOf(() => ops.sample(tensor, options, uniform)));
}

describe.each(instructionSets)("sampling ops on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it("argmax takes the first of equal values", () => {
    fc.assert(
      fc.property(seeds, rowCounts, widths, fc.boolean(), (seed, rows, width, ties) => {
        const random = new RandomValues(seed);
        const x = random.normal(rows * width).map((value) => (ties ? Math.round(value) : value));
        const found = valuesOf(() => ops.argmax(float32(x, [rows, width])));
        expect(Array.from(found)).toEqual(reference.argmax(x, width));
      }),
      { numRuns: 25 },
    );
  });

  it("gatherLogProbability is one element of the log-softmax; NaN for an id outside", () => {
    fc.assert(
      fc.property(seeds, rowCounts, widths, (seed, rows, width) => {
        const random = new RandomValues(seed);
        const x = random.normal(rows * width, 5);
        const ids = Array.from({ length: rows }, () => random.integer(width + 2) - 1);
        const logs = reference.logSoftmax(x, width);
        const wanted = ids.map((id, row) => (id < 0 || id >= width ? Number.NaN : logs[row * width + id]));
        const found = valuesOf(() => ops.gatherLogProbability(float32(x, [rows, width]), int32(ids)));
        expect(Array.from(found, Number.isNaN)).toEqual(wanted.map(Number.isNaN));
        const known = (values: ArrayLike<number>) =>
          Array.from(values).filter((value) => !Number.isNaN(value));
        expectClose(known(found), known(wanted), 2e-5);
      }),
      { numRuns: 25 },
    );
  });

  it("a draw inverts the cumulative distribution of Adept's order at any u", () => {
    const options = fc.record({
      temperature: fc.constantFrom(0.3, 1, 2.5),
      topK: fc.constantFrom(0, 1, 2, 7, 10_000),
      topP: fc.constantFrom(0, 0.05, 0.5, 0.9, 0.999, 1),
    });
    fc.assert(
      fc.property(seeds, widths, options, (seed, width, sampling) => {
        const random = new RandomValues(seed);
        const logits = random.normal(width, 3);
        const probabilities = reference.samplingDistribution(logits, sampling);
        const uniform = Float64Array.from({ length: 8 }, () => random.uniform());
        const rows = Float32Array.from({ length: 8 * width }, (_, i) => logits[i % width]);
        for (const [row, id] of draws(rows, width, sampling, uniform).entries()) {
          expect(probabilities[id]).toBeGreaterThan(0);
          const below = probabilities.slice(0, id).reduce((sum, value) => sum + value, 0);
          // Weights are float32: the borders between ids move by about 1e-6.
          expect(uniform[row]).toBeGreaterThan(below - 2e-6);
          expect(uniform[row]).toBeLessThan(below + probabilities[id] + 2e-6);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("sample", () => {
  const steps = Float64Array.from({ length: 1000 }, (_, i) => (i + 0.5) / 1000);
  /** The share of each id among 1,000 evenly spaced draws. */
  function shares(logits: number[], options: Partial<{ temperature: number; topK: number; topP: number }>) {
    const rows = Array.from({ length: 1000 }, () => logits).flat();
    const counts = new Array<number>(logits.length).fill(0);
    const all = { temperature: 1, topK: 0, topP: 0, ...options };
    for (const id of draws(rows, logits.length, all, steps)) counts[id]++;
    return counts.map((count) => count / 1000);
  }
  const logs = (...probabilities: number[]) => probabilities.map(Math.log);

  it("keeps ties with the k-th logit", () => {
    expectClose(shares(logs(0.1, 0.4, 0.2, 0.2, 0.1), { topK: 2 }), [0, 0.5, 0.25, 0.25, 0], 0.0011);
  });

  it("keeps through the first token whose cumulative probability exceeds p", () => {
    const logits = logs(0.15, 0.5, 0.25, 0.1);
    expectClose(shares(logits, { topP: 0.4 }), [0, 1, 0, 0], 0.0011);
    expectClose(shares(logits, { topP: 0.6 }), [0, 2 / 3, 1 / 3, 0], 0.0011);
    expectClose(shares(logits, { topP: 0.8 }), [0.15 / 0.9, 0.5 / 0.9, 0.25 / 0.9, 0], 0.0011);
    expectClose(shares(logits, { topP: 1e-9 }), [0, 1, 0, 0], 0.0011);
  });

  it("applies the temperature before top-k and top-k before top-p", () => {
    // After top-k 2 the leader has 0.5 / 0.75 > 0.6: alone; without top-k it has 0.5, and a second is kept.
    const logits = logs(0.5, 0.25, 0.25 - 1e-3, 1e-3);
    expectClose(shares(logits, { topK: 1, topP: 0.6 }), [1, 0, 0, 0], 0.0011);
    expectClose(shares(logs(0.5, 0.26, 0.24), { topK: 2, topP: 0.6 }), [1, 0, 0], 0.0011);
    expectClose(shares(logs(0.5, 0.26, 0.24), { topP: 0.6 }), [0.5 / 0.76, 0.26 / 0.76, 0], 0.0011);
    // At temperature 0.5 probabilities are squared: 0.25 / 0.3752 > 0.6.
    expectClose(shares(logs(0.5, 0.26, 0.24), { temperature: 0.5, topP: 0.6 }), [1, 0, 0], 0.0011);
  });

  it("always gives an id of the row, whatever the logits", () => {
    const { NaN: none } = Number;
    const rows: [number[], number[]][] = [
      [[1, Infinity, 3], [1]],
      [
        [-Infinity, -Infinity, -Infinity],
        [0, 1, 2],
      ],
      [
        [none, none, none],
        [0, 1, 2],
      ],
      [
        [none, 2, 1],
        [1, 2],
      ],
      [[-Infinity, 2, -Infinity], [1]],
      [[1e38, -1e38, 3e38], [2]],
    ];
    for (const [logits, possible] of rows) {
      for (const temperature of [1e-45, 1e-30, 1, 100]) {
        for (const [topK, topP] of [
          [0, 0],
          [2, 0],
          [0, 0.5],
          [2, 0.5],
        ]) {
          const uniform = Float64Array.of(0, 0.5, 1 - 2 ** -53);
          const ids = draws([...logits, ...logits, ...logits], 3, { temperature, topK, topP }, uniform);
          for (const id of ids) expect(possible).toContain(id);
        }
      }
    }
    device.stream.synchronize();
  });

  it("a tiny temperature is greedy", () => {
    expect(shares([1, 3, 2], { temperature: 1e-30 })).toEqual([0, 1, 0]);
    expect(shares([1, 3, 2], { temperature: 1e-300 })).toEqual([0, 1, 0]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tally, wilsonInterval } from "../../../src/evals/statistics/proportion.js";
import { codeOf } from "../../support/codes.js";

describe("wilsonInterval", () => {
  // statsmodels 0.15.0, proportion_confint(correct, n, method="wilson").
  it.each([
    [0, 10, 0, 0.27753279986288926],
    [10, 10, 0.7224672001371106, 1],
    [1, 1, 0.2065493143772374, 1],
    [300, 394, 0.7169396803611835, 0.8008545198979794],
    [31, 164, 0.13648306944540134, 0.25580057300692555],
    [34, 164, 0.15232209315061404, 0.27570957033392895],
    [404, 1172, 0.3180470111646192, 0.37238744556471526],
    [5000, 10042, 0.48813223330902955, 0.5076869322459752],
  ])("%i of %i", (correct, n, low, high) => {
    const interval = wilsonInterval(correct, n);
    expect(interval[0]).toBeCloseTo(low, 14);
    expect(interval[1]).toBeCloseTo(high, 14);
  });

  it("says nothing about no items", () => expect(wilsonInterval(0, 0)).toEqual([0, 1]));

  it("holds the share, lies in [0, 1], and is the mirror image for the wrong answers", () => {
    const counts = fc
      .integer({ min: 1, max: 20_000 })
      .chain((n) => fc.tuple(fc.nat({ max: n }), fc.constant(n)));
    fc.assert(
      fc.property(counts, ([correct, n]) => {
        const [low, high] = wilsonInterval(correct, n);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(correct / n);
        expect(high).toBeGreaterThanOrEqual(correct / n);
        expect(wilsonInterval(n - correct, n)[0]).toBeCloseTo(1 - high, 12);
      }),
    );
  });
});

describe("tally", () => {
  it("has lm-eval's standard error", () => {
    // numpy: std(ddof=1) of 300 ones and 94 zeros, over sqrt(394).
    expect(tally(300, 394).standardError).toBeCloseTo(0.02149968302953629, 15);
    expect(tally(300, 394).accuracy).toBe(300 / 394);
    expect(tally(1, 1).standardError).toBeNaN();
    expect(tally(0, 0).accuracy).toBeNaN();
  });

  it.each([
    [2, 1],
    [-1, 3],
    [0.5, 2],
    [1, Number.NaN],
  ])("%d of %d is no count", (correct, n) => {
    expect(codeOf(() => tally(correct, n))).toBe("ARGUMENT_INVALID");
    expect(codeOf(() => wilsonInterval(correct, n))).toBe("ARGUMENT_INVALID");
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mcnemarExact } from "../../../src/evals/statistics/mcnemar.js";
import { comparePaired } from "../../../src/evals/statistics/paired.js";
import { codeOf } from "../../support/codes.js";

describe("mcnemarExact", () => {
  // statsmodels 0.15.0, mcnemar([[1, b], [c, 1]], exact=True).pvalue; scipy 1.17.1's binomtest gives the same.
  it.each([
    [0, 0, 1],
    [0, 1, 1],
    [1, 3, 0.625],
    [12, 5, 0.143463134765625],
    [40, 40, 1],
    [700, 600, 0.0060157938610449395],
    [3, 30, 1.4011748135089874e-6],
    [2000, 2100, 0.12206497999113655],
  ])("%i against %i", (b, c, p) => {
    expect(Math.abs(mcnemarExact(b, c) / p - 1)).toBeLessThan(1e-9);
    expect(mcnemarExact(c, b)).toBe(mcnemarExact(b, c));
  });

  it("is the sum of binomial probabilities, in whole numbers", () => {
    fc.assert(
      fc.property(fc.nat({ max: 60 }), fc.nat({ max: 60 }), (b, c) => {
        const n = b + c;
        let [term, sum] = [1n, 1n];
        for (let i = 1; i <= Math.min(b, c); i++) {
          term = (term * BigInt(n - i + 1)) / BigInt(i);
          sum += term;
        }
        const p = Math.min(1, (2 * Number(sum)) / 2 ** n);
        expect(Math.abs(mcnemarExact(b, c) - p)).toBeLessThan(1e-12);
      }),
    );
  });

  it.each([
    [-1, 0],
    [0, 1.5],
  ])("%d and %d are no counts", (b, c) => expect(codeOf(() => mcnemarExact(b, c))).toBe("ARGUMENT_INVALID"));
});

describe("comparePaired", () => {
  it("has the standard error of the mean difference", () => {
    // numpy: 200 zeros, 12 times −1, 30 times 1: mean and std(ddof=1) / sqrt(242).
    const paired = comparePaired({ both: 150, onlyFirst: 12, onlySecond: 30, neither: 50 });
    expect(paired.n).toBe(242);
    expect(paired.change).toBeCloseTo(0.0743801652892562, 15);
    expect(paired.standardError).toBeCloseTo(0.026404239413460675, 14);
    expect(paired.first.correct).toBe(162);
    expect(paired.second.correct).toBe(180);
  });
});

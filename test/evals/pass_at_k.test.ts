import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { passAtK } from "../../src/evals/pass_at_k.js";
import { codeOf } from "../support/codes.js";

/** 1 - C(n-c, k) / C(n, k) from whole numbers of any size: the definition, without the product that passAtK makes of it. */
function byDefinition(n: number, c: number, k: number): number {
  const choose = (from: number, take: number): bigint => {
    let value = 1n;
    for (let i = 0; i < take; i++) value = (value * BigInt(from - i)) / BigInt(i + 1);
    return from < take ? 0n : value;
  };
  const scale = 10n ** 18n;
  const all = choose(n, k);
  return Number((scale * (all - choose(n - c, k))) / all) / 1e18;
}

describe("passAtK", () => {
  // Python: 1 - Fraction(math.comb(n - c, k), math.comb(n, k)).
  it.each([
    [1, 1, 1, 1],
    [1, 0, 1, 0],
    [5, 2, 3, 0.9],
    [10, 3, 1, 0.3],
    [10, 3, 5, 0.9166666666666666],
    [100, 7, 10, 0.5332595856827856],
    [200, 10, 100, 0.9992289739372822],
    [200, 150, 100, 1],
    [200, 1, 10, 0.05],
  ])("%d samples, %d passed, k = %d", (samples, passed, k, expected) => {
    expect(passAtK([{ samples, passed }], k).value).toBeCloseTo(expected, 12);
  });

  it("one greedy sample of each problem gives the share that passed", () => {
    // 31 of 164 is the 18.9 % of the release; the error is sqrt(p (1 - p) / (n - 1)).
    const problems = Array.from({ length: 164 }, (_, index) => ({ samples: 1, passed: index < 31 ? 1 : 0 }));
    const { value, standardError, problems: count } = passAtK(problems, 1);
    expect(value).toBeCloseTo(31 / 164, 12);
    expect(standardError).toBeCloseTo(0.030666839281449493, 12);
    expect(count).toBe(164);
  });

  it("is a mean over problems of different numbers of samples", () => {
    const { value, standardError } = passAtK(
      [
        { samples: 10, passed: 3 },
        { samples: 5, passed: 5 },
        { samples: 4, passed: 0 },
      ],
      2,
    );
    // 1 - C(7,2)/C(10,2) = 8/15; then 1 and 0.
    expect(value).toBeCloseTo((8 / 15 + 1 + 0) / 3, 12);
    expect(standardError).toBeCloseTo(0.2888888888888889, 12);
  });

  it("one problem has no standard error", () => {
    expect(passAtK([{ samples: 4, passed: 1 }], 2).standardError).toBeNaN();
  });

  it("is the quotient of binomials", () => {
    const counts = fc
      .integer({ min: 1, max: 300 })
      .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 0, max: n }), fc.integer({ min: 1, max: n })));
    fc.assert(
      fc.property(counts, ([samples, passed, k]) => {
        expect(passAtK([{ samples, passed }], k).value).toBeCloseTo(byDefinition(samples, passed, k), 10);
      }),
    );
  });

  it("says what it cannot use", () => {
    const messageOf = (problems: unknown, k: number) => {
      try {
        passAtK(problems as never, k);
      } catch (error) {
        return (error as Error).message;
      }
      return undefined;
    };
    expect(codeOf(() => passAtK([{ samples: 1, passed: 1 }], 10))).toBe("PASS_AT_K_INVALID");
    expect(messageOf([{ samples: 1, passed: 1 }], 10)).toMatchInlineSnapshot(
      `"passAtK: problem 0 has 1 samples, and pass@10 needs at least 10 of each"`,
    );
    expect(messageOf([{ samples: 2, passed: 3 }], 1)).toMatchInlineSnapshot(
      `"passAtK: problem 0: passed must be a whole number from 0 to samples, got 3 of 2"`,
    );
    expect(messageOf([{ samples: 2.5, passed: 1 }], 1)).toMatchInlineSnapshot(
      `"passAtK: problem 0: passed must be a whole number from 0 to samples, got 1 of 2.5"`,
    );
    expect(messageOf([null], 1)).toMatchInlineSnapshot(
      `"passAtK: problem 0: passed must be a whole number from 0 to samples, got undefined of undefined"`,
    );
    expect(messageOf([], 1)).toMatchInlineSnapshot(`"passAtK: there must be at least one problem"`);
    expect(messageOf([{ samples: 1, passed: 1 }], 0)).toMatchInlineSnapshot(
      `"passAtK: k must be a whole number from 1, got 0"`,
    );
  });
});

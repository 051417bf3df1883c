import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/generation/random.js";

const take = (seed: number, count: number) => {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

/** sfc32 as its author published it, in 32-bit integers of arbitrary precision. */
function sfc32(seed: bigint, count: number): number[] {
  const mask = 0xffffffffn;
  let [a, b, c, counter] = [seed & mask, seed >> 32n, 0x9e3779b9n, 1n];
  const word = () => {
    const sum = (a + b + counter) & mask;
    counter = (counter + 1n) & mask;
    a = b ^ (b >> 9n);
    b = (c + (c << 3n)) & mask;
    c = ((((c << 21n) | (c >> 11n)) & mask) + sum) & mask;
    return sum;
  };
  for (let round = 0; round < 12; round++) word();
  return Array.from({ length: count }, () => {
    const high = word() >> 5n;
    return Number((high << 26n) | (word() >> 6n)) / 2 ** 53;
  });
}

describe("SeededRandom", () => {
  it.each([0, 1, 42, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])("is sfc32 from seed %d", (seed) => {
    expect(take(seed, 50)).toEqual(sfc32(BigInt(seed), 50));
  });

  it("is uniform in [0, 1): mean, variance and a χ² of 100 bins over 100,000 numbers", () => {
    const values = take(7, 100_000);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.004);
    const counts = new Array<number>(100).fill(0);
    for (const value of values) counts[Math.floor(value * 100)]++;
    const chi = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // 99 degrees of freedom: mean 99, standard deviation 14.
    expect(chi).toBeGreaterThan(50);
    expect(chi).toBeLessThan(160);
  });

  it("neighbouring seeds, as the rows of a batch have, are unrelated", () => {
    const first = Array.from({ length: 1000 }, (_, seed) => take(seed, 1)[0]);
    const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.04);
    expect(new Set(first).size).toBe(1000);
  });
});

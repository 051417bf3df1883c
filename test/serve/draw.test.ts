import { expect, it } from "vitest";
import { drawnSeed } from "../../src/serve/draw.js";

const most = Number.MAX_SAFE_INTEGER;

it.each([
  [5, 0, 5],
  [5, 2, 7],
  [-1, 0, most - 1],
  [-1, 1, 0],
  [most, 0, 0],
  [most - 1, 3, 2],
  [-most, 0, 0],
])("seed %i, text %i", (seed, index, expected) => expect(drawnSeed(seed, index)).toBe(expected));

it("is another one each time where none is given", () => {
  const seeds = Array.from({ length: 20 }, () => drawnSeed(undefined, 0));
  expect(new Set(seeds).size).toBe(20);
  expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
});

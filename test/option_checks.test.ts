import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { optionChecks } from "../src/option_checks.js";

const { whole, between, flag, oneOf, text, callback } = optionChecks(
  (message) => new RangeError(`mine: ${message}`),
);

describe("checks of options", () => {
  it("give back what fits", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), fc.nat(), (value, below, above) => {
        expect(whole("n", value, value - below, value + above)).toBe(value);
        expect(between("n", value + 0.5, value - below, value + above + 1)).toBe(value + 0.5);
        expect(whole("n", value, value - below)).toBe(value);
      }),
    );
    expect(flag("f", false)).toBe(false);
    expect(oneOf("o", "b", ["a", "b"])).toBe("b");
    expect(text("t", "a")).toBe("a");
    expect(callback("c", undefined)).toBeUndefined();
    expect(callback("c", Math.abs)).toBe(Math.abs);
  });

  it("refuse the numbers next to the range", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), fc.nat(1000), (least, size) => {
        for (const value of [least - 1, least + size + 1, least + 0.5]) {
          expect(() => whole("n", value, least, least + size)).toThrow(RangeError);
        }
        for (const value of [least - 0.1, least + size + 0.1]) {
          expect(() => between("n", value, least, least + size)).toThrow(RangeError);
        }
      }),
    );
  });

  it.each<[() => unknown, string]>([
    [() => whole("n", 2, 3, 4), "mine: n must be a whole number from 3 to 4, got 2"],
    [() => whole("n", 2 ** 53, 1), "mine: n must be a whole number from 1, got 9007199254740992"],
    [() => whole("n", "3", 1, 4), 'mine: n must be a whole number from 1 to 4, got "3"'],
    [() => whole("n", undefined, 1), "mine: n must be a whole number from 1, got undefined"],
    [() => whole("n", Number.NaN, 1, 2), "mine: n must be a whole number from 1 to 2, got NaN"],
    [() => between("x", Number.NaN, 0, 1), "mine: x must be a number from 0 to 1, got NaN"],
    [() => between("x", "0.5", 0, 1), 'mine: x must be a number from 0 to 1, got "0.5"'],
    [() => flag("f", "yes"), 'mine: f must be true or false, got "yes"'],
    [() => text("t", true), "mine: t must be a text, got true"],
    [() => callback("c", 5 as unknown), "mine: c must be a function, got 5"],
    [() => oneOf<unknown>("o", "c", ["a", 1]), 'mine: o must be "a" or 1, got "c"'],
  ])("%s", (check, message) => {
    expect(check).toThrow(new RangeError(message));
  });
});

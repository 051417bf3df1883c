import { describe, expect, it } from "vitest";
import { checkOptionNames, PersimmonError, valueText } from "../src/errors.js";
import { codeOf } from "./support/codes.js";

it("an error carries its code and its cause", () => {
  const cause = new Error("inner");
  const error = new PersimmonError("SOME_CODE", "what happened", { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: "PersimmonError", code: "SOME_CODE", message: "what happened", cause });
});

describe("names of options", () => {
  const check = (options: unknown) => checkOptionNames("walk", options, ["pace", "towards"]);

  it("known ones pass, none as well", () => {
    check({ pace: 1, towards: undefined });
    check({});
  });

  it("an unknown one is named, with the one that was meant", () => {
    expect(codeOf(() => check({ pace: 1, paces: 2 }))).toBe("OPTION_UNKNOWN");
    expect(() => check({ paces: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: walk has no option "paces" (did you mean "pace"?); it has pace, towards]`,
    );
    expect(() => check({ colour: 2 })).toThrow('walk has no option "colour"; it has pace, towards');
  });

  it.each<[unknown, string]>([
    [3, "3"],
    ["pace", '"pace"'],
    [null, "null"],
    [undefined, "undefined"],
    [[0], "[0]"],
    [() => {}, "a function"],
  ])("%s is no set of options", (options, shown) => {
    expect(codeOf(() => check(options))).toBe("OPTION_INVALID");
    expect(() => check(options)).toThrow(
      `the options of walk are an object with pace, towards, got ${shown}`,
    );
  });
});

it.each<[unknown, string]>([
  ["10", '"10"'],
  [10, "10"],
  [1n, "1n"],
  [-0.5, "-0.5"],
  [null, "null"],
  [undefined, "undefined"],
  [Symbol("s"), "Symbol(s)"],
  [Math.max, "a function max"],
  [new Float64Array(3), "a Float64Array of 3"],
  [[1, "a", [2]], '[1, "a", […]]'],
  [[1, 2, 3, 4, 5], "[1, 2, 3, 4, …]"],
  [{ dtype: "int8", threads: 2 }, '{ dtype: "int8", threads: 2 }'],
  [{ a: 1, b: {}, c: [1], d: null, e: 5 }, "{ a: 1, b: {…}, c: […], d: null, … }"],
  [{}, "{}"],
  [new Map(), "an object of Map"],
  [Object.create(null), "{}"],
  ["x".repeat(90), `"${"x".repeat(80)}…"`],
])("%o is called %s in messages", (value, text) => {
  expect(valueText(value)).toBe(text);
});

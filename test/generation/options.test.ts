import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { checkOptions } from "../../src/generation/options.js";
import { codeOf } from "../support/codes.js";

describe("options of a generation", () => {
  it("are greedy with 256 tokens by default", () => {
    expect(checkOptions({ temperature: 0, seed: 1 })).toMatchInlineSnapshot(`
      {
        "breakEverywhere": false,
        "capture": true,
        "logprobs": false,
        "maxNewTokens": 256,
        "onProgress": undefined,
        "promptLookup": undefined,
        "seed": 1,
        "stop": [],
        "stopAtEos": true,
        "temperature": 0,
        "topK": 0,
        "topP": 0,
      }
    `);
  });

  it.each([{ topK: 5 }, { topP: 0.9 }, { seed: 1 }])("%j is refused without a temperature", (options) => {
    expect(() => checkOptions(options)).toThrow(
      `${Object.keys(options)[0]} has no effect without a temperature, since the most likely token is taken`,
    );
    expect(checkOptions({ ...options, temperature: 1 })).toMatchObject(options);
    // Who says that nothing is to be drawn, as in a loop over temperatures, is not wrong.
    expect(checkOptions({ ...options, temperature: 0 })).toMatchObject(options);
  });

  it("may say that all tokens are kept", () => {
    expect(checkOptions({ topK: 0, topP: 0 })).toMatchObject({ topK: 0, topP: 0, temperature: 0 });
    expect(checkOptions({ topP: 1 }).topP).toBe(1);
  });

  it("draw another seed each time when none is given", () => {
    const seeds = Array.from({ length: 20 }, () => checkOptions({}).seed);
    expect(new Set(seeds).size).toBe(20);
    expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
  });

  it.each([
    { temperature: Number.NaN },
    { temperature: Infinity },
    { temperature: -1 },
    { temperature: 101 },
    { temperature: "1" },
    { topK: 1.5 },
    { topK: -1 },
    { topK: Number.NaN },
    { topK: Infinity },
    { topP: Number.NaN },
    { topP: 1.01 },
    { topP: -0.01 },
    { maxNewTokens: -1 },
    { maxNewTokens: Number.NaN },
    { maxNewTokens: Infinity },
    { maxNewTokens: 1.5 },
    { seed: -1 },
    { seed: 1.5 },
    { seed: Number.NaN },
    { seed: 2 ** 60 },
    { stop: "" },
    { stop: ["a", ""] },
    { stop: 5 },
    { stop: [5] },
    { stop: /a/g },
    { stop: ["a", /a/y] },
    { stop: /a*/ },
    { stop: [/^/m] },
  ])("%o is SAMPLING_INVALID", (options) => {
    expect(codeOf(() => checkOptions(options as never))).toBe("SAMPLING_INVALID");
  });

  it("stops are texts and patterns, one or several, patterns of another realm too", () => {
    const other = runInNewContext("/b/i") as RegExp;
    expect(checkOptions({ stop: /a/ }).stop).toEqual([/a/]);
    expect(checkOptions({ stop: ["x", /a/u, other] }).stop).toEqual(["x", /a/u, other]);
    expect(() => checkOptions({ stop: /a*/ })).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: the stop pattern /a*/ matches the empty text and would end every text before it begins]`,
    );
  });

  it("an unknown one is refused with the list of those there are", () => {
    expect(() => checkOptions({ max_new_tokens: 5 } as never)).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: generate has no option "max_new_tokens" (did you mean "maxNewTokens"?); it has maxNewTokens, temperature, topK, topP, seed, stop, logprobs, signal, onProgress, bos, kv, stopAtEos, capture, breakEverywhere, promptLookup]`,
    );
  });

  it.each([[null], [5], ["x"]])("%j is no set of options", (options) => {
    expect(codeOf(() => checkOptions(options as never))).toBe("SAMPLING_INVALID");
  });
});

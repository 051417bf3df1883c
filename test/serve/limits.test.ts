import { expect, it } from "vitest";
import { checkLimits } from "../../src/serve/limits.js";

const model = { maxLength: 512, bytesPerToken: 1024 };
const message = (given: object) => {
  try {
    checkLimits(given, model);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
  return expect.fail("nothing was thrown");
};

it("has defaults", () => {
  expect(checkLimits({ batch: undefined }, model)).toEqual({
    bodyBytes: 1048576,
    choices: 128,
    newTokens: 512,
    batch: 16,
    kvTokens: 2048,
    queue: 256,
    seconds: 600,
    graceSeconds: 30,
  });
});

it("has a KV cache of one context at least, however little memory is free", () => {
  expect(checkLimits({}, { maxLength: 512, bytesPerToken: 2 ** 50 }).kvTokens).toBe(512);
});

it("says what is wrong", () => {
  expect(message({ batch: 0 })).toBe(
    "OPTION_INVALID: serve: batch must be a whole number from 1 to 1024, got 0",
  );
  expect(message({ seconds: 0.5 })).toMatch(
    /^OPTION_INVALID: serve: seconds must be a whole number from 1 to/,
  );
  expect(message({ kvTokens: 100 })).toMatch(
    /^OPTION_INVALID: serve: kvTokens must be from 512, one context, to 2048/,
  );
  expect(message({ kvTokens: 4096 })).toMatch(
    /got 4096; load the model with a smaller maxLength to have less$/,
  );
  expect(message({ batches: 1 })).toMatch(
    /^OPTION_UNKNOWN: serve has no option "batches" \(did you mean "batch"\?\); it has bodyBytes, choices/,
  );
});

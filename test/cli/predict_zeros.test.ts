import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { predictZerosCommand } from "../../src/cli/predict_zeros.js";
import { failureOf } from "../support/codes.js";

it("is refused for a split model before one is loaded", async () => {
  const args = [
    "zeros.json",
    "--text",
    "no-such-file.txt",
    "--model",
    "no-such-model",
    "--tensor-parallel",
    "2",
  ];
  expect(await failureOf(predictZerosCommand().parseAsync(args, { from: "user" }))).toBe(
    "OPTION_INVALID: zeros are predicted in models that are not split: leave out --tensor-parallel",
  );
  expect(existsSync("zeros.json")).toBe(false);
});

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { predictZerosCommand } from "../../src/cli/predict_zeros.js";
import { failureOf } from "../support/codes.js";
import { temporaryDirectory } from "../support/tiny_checkpoint.js";

const directory = temporaryDirectory();

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

it("says how documents are parted where a file holds one text", async () => {
  const text = join(directory, "one.txt");
  writeFileSync(text, "The little fox found a key.\n");
  const run = predictZerosCommand().parseAsync([join(directory, "zeros.json"), "--text", text], {
    from: "user",
  });
  expect(await failureOf(run, directory)).toBe(
    "ZERO_PREDICTION_INVALID: --text: <directory>/one.txt holds 1 texts, and at least two are needed: part its documents by lines of |ENDOFTEXT|, or give one of more than 512 tokens",
  );
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { predictZerosCommand } from "../../src/cli/predict_zeros.js";
import { failureOf } from "../support/codes.js";
import { temporaryDirectory } from "../support/tiny_checkpoint.js";

const directory = temporaryDirectory();

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

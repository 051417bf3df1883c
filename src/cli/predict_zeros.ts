import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { PersimmonError } from "../errors.js";
import type { LanguageModel } from "../index.js";
import { loadFromOptions } from "./load.js";
import { addModelOptions, type ModelOptions, parseNumber } from "./options.js";

interface Options extends ModelOptions {
  text: string;
  recall?: number;
  json?: boolean;
}

/** Tokens of a text that is read at once. */
const textTokens = 512;

/** `persimmon predict-zeros`: makes the file that `--predict-zeros` of the other commands takes. */
export function predictZerosCommand(): Command {
  const command = new Command("predict-zeros")
    .description(
      "choose on a text which rows of the up projections need not be read, and write it to a file for --predict-zeros",
    )
    .argument("<file>", "where the predictor goes, as JSON")
    .requiredOption(
      "--text <file>",
      "text like that to be read later; documents may be parted by lines of |ENDOFTEXT|",
    )
    .option("--recall <share>", "share of the neurons above zero to be found (default: 0.999)", parseNumber)
    .option("--json", "print recall and density of each layer as JSON");
  return addModelOptions(command).action(async (file: string, options: Options) => {
    checkNotSplit(options);
    const { predictZeros, saveZeroPredictor } = await import("../index.js");
    const model = await loadFromOptions(options);
    const predictor = await predictZeros(model, await textsIn(options.text, model), {
      recall: options.recall,
    });
    await saveZeroPredictor(predictor, file);
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ file, recall: predictor.measuredRecall, density: predictor.density, layers: predictor.layers }, null, 2)}\n`
        : `${predictor.summary()}\nwritten to ${file}\n`,
    );
  });
}

/** Before the model is loaded, which may take minutes. */
function checkNotSplit({ tensorParallel = 1 }: Options): void {
  if (tensorParallel === 1) return;
  throw new PersimmonError(
    "OPTION_INVALID",
    "zeros are predicted in models that are not split: leave out --tensor-parallel",
  );
}

/** The documents of a file in pieces of at most `textTokens`. */
async function textsIn(path: string, model: LanguageModel): Promise<number[][]> {
  const content = await readFile(path, "utf8").catch((cause: Error) => {
    throw new PersimmonError("FILE_UNREADABLE", `--text: ${path} cannot be read: ${cause.message}`, {
      cause,
    });
  });
  const documents = content.split("|ENDOFTEXT|\n").filter((text) => text.trim() !== "");
  const pieces: number[][] = [];
  for (const document of documents) {
    const ids = model.tokenizer.encode(document, { bos: model.tokenizer.addBos });
    for (let start = 0; start < ids.length; start += textTokens)
      pieces.push(ids.slice(start, start + textTokens));
  }
  if (pieces.length < 2) {
    throw new PersimmonError(
      "ZERO_PREDICTION_INVALID",
      `--text: ${path} holds ${pieces.length} texts, and at least two are needed: part its documents by lines of |ENDOFTEXT|, or give one of more than ${textTokens} tokens`,
    );
  }
  return pieces;
}

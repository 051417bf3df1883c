import { Command, InvalidArgumentError, Option } from "commander";
import type { ConvertOptions } from "../convert.js";
import { parseNumber } from "./options.js";
import { ProgressLine } from "./progress_line.js";

interface Options {
  to: ConvertOptions["to"];
  threads?: number;
  dropUnusedRows?: true | [number, number];
  verify?: boolean;
}

function parseRange(text: string): [number, number] {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (last === undefined) throw new InvalidArgumentError('expected two ids, such as "3-70002".');
  return [Number(first), Number(last) + 1];
}

/** `persimmon convert`: the same model with its weights in another type. Ctrl-C ends it, and the same command goes on. */
export function convertCommand(): Command {
  return new Command("convert")
    .description(
      "write a checkpoint with its weights as int4 or int8 (28 % and half of the bytes of bfloat16), bfloat16 or float32",
    )
    .argument("<model>", "folder or hub name of a model, or the .tar of Adept's release")
    .argument("<folder>", "where the new checkpoint goes; must not exist")
    .addOption(
      new Option("--to <dtype>", "type of the weights; int8 and int4 round the matrices")
        .choices(["int4", "int8", "bfloat16", "float32"])
        .makeOptionMandatory(),
    )
    .option("--threads <n>", "threads of the CPU (default: as many as there are)", parseNumber)
    .option(
      "--drop-unused-rows [first-last]",
      "leave out the embedding and head rows of ids that no text has (default: 3-70002, those of Persimmon-8B); ids stay, and the rows are looked at before",
      parseRange,
    )
    .option(
      "--verify",
      "read a .tar once more beforehand, and check its MD5 against those of Adept's releases",
    )
    .addHelpText(
      "after",
      "\nMemory stays below 1 GB at any size. A conversion that was ended goes on where it was: run it again.\nThe new folder is loaded like any other. int8 and int4 have the names of compressed-tensors (int-quantized, pack-quantized).",
    )
    .action(async (source: string, folder: string, options: Options) => {
      const { convertCheckpoint } = await import("../convert.js");
      const interrupt = new AbortController();
      const onInterrupt = () => interrupt.abort();
      process.once("SIGINT", onInterrupt);
      const progress = new ProgressLine();
      try {
        const bytes = await convertCheckpoint(source, folder, {
          to: options.to,
          threads: options.threads,
          dropUnusedRows: options.dropUnusedRows,
          verify: options.verify,
          onNote: (text) => {
            progress.end();
            process.stdout.write(`${text}\n`);
          },
          onProgress: progress.show,
          signal: interrupt.signal,
        });
        progress.end();
        process.stdout.write(`${folder}: ${(bytes / 1e6).toFixed(1)} MB of weights as ${options.to}\n`);
      } finally {
        progress.end();
        process.off("SIGINT", onInterrupt);
      }
    });
}

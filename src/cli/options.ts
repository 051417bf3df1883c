import { type Command, InvalidArgumentError, Option } from "commander";
import type { GenerateOptions, LoadOptions } from "../index.js";

/** What the commands that load a model take. */
export interface ModelOptions {
  model?: string;
  device?: LoadOptions["device"];
  dtype?: LoadOptions["dtype"];
  threads?: number;
  matmulPrecision?: LoadOptions["matmulPrecision"];
  tensorParallel?: number;
  maxLength?: number;
  kvDtype?: LoadOptions["kvDtype"];
  predictZeros?: string;
  rope?: LoadOptions["rope"];
  memoryCheck?: boolean;
}

/** What the commands that generate text take. */
export interface SamplingOptions {
  maxNewTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  seed?: number;
  stop?: string[];
  promptLookup?: boolean;
}

/** A number on the command line. Whether it makes sense is for the library to say, which names the option too. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("It is not a number.");
  return value;
}

function collect(text: string, earlier: string[] = []): string[] {
  return [...earlier, text];
}

export function addModelOptions(command: Command): Command {
  return command
    .option(
      "-m, --model <path>",
      "folder of a checkpoint, or its name on the hub (default: the bundled demo model)",
    )
    .addOption(deviceOption())
    .addOption(
      new Option("--dtype <type>", "how weights are held").choices([
        "auto",
        "float32",
        "bfloat16",
        "int8",
        "int4",
      ]),
    )
    .option("--threads <n>", "threads of the CPU (default: as many as there are)", parseNumber)
    .addOption(matmulPrecisionOption())
    .option(
      "--tensor-parallel <n>",
      "split the model over so many GPUs, or on a CPU over so many groups of its threads (default: 1)",
      parseNumber,
    )
    .option("--max-length <n>", "longest context (default: the model's own)", parseNumber)
    .addOption(kvDtypeOption())
    .addOption(predictZerosOption())
    .addOption(
      new Option(
        "--rope <how>",
        "rotary angles as Hugging Face computes them, or in bfloat16 as Adept does (default: hf)",
      ).choices(["hf", "adept"]),
    )
    .option("--no-memory-check", "load a model also where it will not fit into memory");
}

export function deviceOption(): Option {
  return new Option("--device <device>", "where to run").choices(["auto", "cpu", "cuda"]);
}

export function matmulPrecisionOption(): Option {
  return new Option(
    "--matmul-precision <how>",
    "whether products may round activations to bfloat16 where that is faster (default: highest, which is not to)",
  ).choices(["highest", "medium"]);
}

export function kvDtypeOption(): Option {
  return new Option(
    "--kv-dtype <type>",
    "how keys and values of past tokens are kept (default: float32)",
  ).choices(["float32", "bfloat16", "int8"]);
}

export function predictZerosOption(): Option {
  return new Option(
    "--predict-zeros <file>",
    "leave out rows of the up projections that a predictor takes for zeros (see `persimmon predict-zeros`); not exact",
  );
}

export function addSamplingOptions(command: Command): Command {
  return command
    .option("-n, --max-new-tokens <n>", "most tokens to make (default: 256)", parseNumber)
    .option("-t, --temperature <t>", "0 takes the most likely token (default: 0)", parseNumber)
    .option("--top-k <k>", "draw among the k most likely tokens", parseNumber)
    .option("--top-p <p>", "draw among the tokens up to this probability", parseNumber)
    .option("--seed <n>", "makes draws repeatable", parseNumber)
    .option("--stop <text>", "end before this text (may be given several times)", collect)
    .option("--prompt-lookup", "guess tokens from earlier text: the same result, sooner where text repeats");
}

/** The part of the options that `loadModel` takes. */
export function loadOptions(options: ModelOptions): LoadOptions {
  const { device, dtype, threads, matmulPrecision, tensorParallel } = options;
  const { maxLength, kvDtype, predictZeros, rope, memoryCheck } = options;
  return {
    ...{ device, dtype, threads, matmulPrecision, tensorParallel },
    ...{ maxLength, kvDtype, predictZeros, rope, memoryCheck },
  };
}

/** The part of the options that `generate` takes, without those that were not given. */
export function generateOptions(options: SamplingOptions): GenerateOptions {
  const { maxNewTokens, temperature, topK, topP, seed, stop, promptLookup } = options;
  const given = Object.entries({ maxNewTokens, temperature, topK, topP, seed, stop, promptLookup });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

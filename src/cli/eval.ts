import { Command, InvalidArgumentError, Option } from "commander";
import type {
  EvalComparison,
  EvalResult,
  EvalServer,
  LanguageModel,
  RunEvalOptions,
  SandboxOptions,
} from "../index.js";
import { loadFromOptions } from "./load.js";
import { addModelOptions, loadOptions, type ModelOptions, parseNumber } from "./options.js";

interface RunFlags extends ModelOptions {
  data?: string;
  split?: string;
  shotSplit?: string;
  subset?: string;
  preset?: RunEvalOptions["preset"];
  method?: RunEvalOptions["method"];
  folder?: string;
  limit?: number;
  shard?: string;
  shotSeeds: number[];
  shots?: 0 | 1;
  bos?: boolean;
  chat?: boolean;
  instructionPrefix?: string;
  /** false with --no-final-newline */
  finalNewline: boolean;
  maxNewTokens?: number;
  samples?: number;
  temperature?: number;
  topP?: number;
  batch?: number;
  /** false with --no-prompts */
  prompts: boolean;
  server?: string[];
  /** false with --no-execute */
  execute: boolean;
  unsafeRunWithoutSandbox?: boolean;
  json?: boolean;
}

const sandboxFlag = [
  "--unsafe-run-without-sandbox",
  "run generated programs as processes of yours: they can read and delete your files and use your network",
] as const;

/** `persimmon eval`: runs an evaluation, and what is done with runs afterwards. */
export function evalCommand(): Command {
  const run = runCommand();
  return new Command("eval")
    .description("run a generative evaluation: `persimmon eval arc-easy --data demo`")
    .addCommand(run, { isDefault: true })
    .addCommand(scoreCommand())
    .addCommand(compareCommand())
    .addCommand(mergeCommand())
    .addHelpText(
      "after",
      () => `\nOptions of run, which is meant where no command is named:\n${optionsOf(run)}`,
    );
}

function optionsOf(command: Command): string {
  return command.helpInformation().replace(/^[\s\S]*?\nOptions:\n/, "");
}

function runCommand(): Command {
  const command = new Command("run")
    .description("ask a model the questions of a task and score its answers")
    .argument("<task>", "arc-easy, arc-challenge, humaneval, mmlu, winogrande, triviaqa or hellaswag")
    .option(
      "--data <source>",
      'a file or folder, "hub" or "hub:owner/name", or "demo", the bundled items (default: hub)',
    )
    .option("--split <name>", "which questions are asked (default: as the preset says)")
    .option("--shot-split <name>", "where examples come from (default: as the preset says)")
    .option("--subset <name>", "a subject of MMLU, a configuration of Winogrande or TriviaQA")
    .addOption(
      new Option(
        "--preset <name>",
        "splits of questions and examples: as in the release, or test with examples from train (default: adept)",
      ).choices(["adept", "clean"]),
    )
    .addOption(
      new Option("--method <method>", "by what the model writes, or by log-probability").choices([
        "generate",
        "likelihood",
      ]),
    )
    .option("--folder <dir>", "write the run there; the same command goes on with it after an interrupt")
    .option("--limit <n>", "at most so many items, spread over the data", parseNumber)
    .option("--shard <i/n>", "only part i of n, such as 0/4")
    .addOption(
      new Option("--shot-seeds <list>", "one run for each, with other examples, such as 0,1,2")
        .argParser(parseSeeds)
        .default([0], "0"),
    )
    .addOption(new Option("--shots <n>", "examples in a prompt").choices(["0", "1"]).argParser(Number))
    .option("--bos", "begin prompts with the BOS token (default: as the tokenizer says)")
    .option("--no-bos", "begin prompts without it, as Adept's server does")
    .option("--chat", "put prompts into the chat format")
    .option("--instruction-prefix <text>", 'put this before the instruction, such as "# "')
    .option("--no-final-newline", "HumanEval: leave out the line break after the docstring")
    .option("-n, --max-new-tokens <n>", "most tokens of an answer (default: as the task says)", parseNumber)
    .option("--samples <n>", "answers to each question, for pass@k", parseNumber)
    .option(
      "-t, --temperature <t>",
      "0 takes the most likely token (default: 0; 0.2 with samples)",
      parseNumber,
    )
    .option("--top-p <p>", "draw among the tokens up to this probability (default: 0.95)", parseNumber)
    .option("--batch <n>", "most questions in a batch (default: 16)", parseNumber)
    .option(
      "--server <url,…>",
      "run on kernels of a Jupyter server: URL[,token=…][,kernels=N][,kernel=NAME] (may be given several times); the model is one on its machine, and kernels of one host share its cores unless --threads says how many each has",
      (text: string, earlier: string[] = []) => [...earlier, text],
    )
    .option("--no-prompts", "leave the prompts out of samples.jsonl")
    .option("--no-execute", "do not run generated programs; `persimmon eval score` does later")
    .option(...sandboxFlag);
  return addModelOptions(command)
    .option("--json", "print the figures as JSON")
    .action(async (task: string, flags: RunFlags) => {
      // A name that is wrong is said before gigabytes are loaded.
      const { findTask, parseServer } = await import("../index.js");
      findTask(task);
      const servers = flags.server?.map(parseServer);
      const model = servers ?? (await loadFromOptions(flags));
      await runTask(model, task, flags, (text) => process.stdout.write(text));
    });
}

/**
 * Runs a task once for each seed and prints what came out. An interrupted run prints its part and ends with exit code 130.
 * @param model the model, or servers that load it
 */
export async function runTask(
  model: LanguageModel | EvalServer[],
  task: string,
  flags: RunFlags,
  write: (text: string) => void,
): Promise<void> {
  const { runEval, runEvalOnServers } = await import("../index.js");
  const interrupt = new AbortController();
  const onInterrupt = () => {
    process.exitCode = 130;
    interrupt.abort();
  };
  process.once("SIGINT", onInterrupt);
  try {
    const results: EvalResult[] = [];
    for (const shotSeed of flags.shotSeeds) {
      const isOne = flags.shotSeeds.length === 1;
      const folder = flags.folder === undefined || isOne ? flags.folder : `${flags.folder}/seed-${shotSeed}`;
      const options = { task, shotSeed, folder, signal: interrupt.signal, ...runOptions(flags) };
      const result = await (Array.isArray(model)
        ? runEvalOnServers({ ...options, servers: model, model: flags.model, load: loadOptions(flags) })
        : runEval({ ...options, model }));
      results.push(result);
      if (!flags.json) write(`${result}\n${folder === undefined ? "" : `${folder}\n`}`);
      if (interrupt.signal.aborted) break;
      if (!isOne && !flags.json) write("\n");
    }
    if (flags.json) {
      const summaries = results.map(({ summary }) => summary);
      write(`${JSON.stringify(flags.shotSeeds.length === 1 ? summaries[0] : summaries, null, 2)}\n`);
    } else if (results.length > 1) {
      write(`${spreadLine(results)}\n`);
    }
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

function runOptions(flags: RunFlags): Omit<RunEvalOptions, "model" | "task"> {
  const { data, split, shotSplit, subset, preset, method, limit, shard, shots, bos, chat } = flags;
  const given = {
    data,
    split,
    shotSplit,
    subset,
    preset,
    method,
    limit,
    shard,
    shots,
    bos,
    chat,
    instructionPrefix: flags.instructionPrefix,
    finalNewline: flags.finalNewline,
    maxNewTokens: flags.maxNewTokens,
    samples: flags.samples,
    temperature: flags.temperature,
    topP: flags.topP,
    batchSize: flags.batch,
    keepPrompts: flags.prompts,
    execute: flags.execute,
    sandbox: sandboxOptions(flags),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function sandboxOptions({
  unsafeRunWithoutSandbox,
}: Pick<RunFlags, "unsafeRunWithoutSandbox">): SandboxOptions {
  return unsafeRunWithoutSandbox ? { unsafeRunWithoutSandbox } : {};
}

/** How much the choice of examples alone changes the score. */
function spreadLine(results: readonly EvalResult[]): string {
  const shares = results.map(({ accuracy }) => 100 * accuracy);
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const range = `${Math.min(...shares).toFixed(1)}–${Math.max(...shares).toFixed(1)} %`;
  return `over ${results.length} choices of examples: mean ${mean.toFixed(1)} %, ${range}`;
}

function scoreCommand(): Command {
  return new Command("score")
    .description("score a run anew, without the model; runs programs that were not run yet")
    .argument("<folder>", "folder of the run")
    .option("--data <source>", "where the questions are (default: where the run had them from)")
    .option("--no-execute", "run no programs")
    .option("--again", "run all programs again")
    .option(...sandboxFlag)
    .option("--json", "print the figures as JSON")
    .action(async (folder: string, flags: RunFlags & { again?: boolean }) => {
      const { scoreRun } = await import("../index.js");
      const result = await scoreRun(folder, {
        ...(flags.data !== undefined && { data: flags.data }),
        execute: flags.again ? "again" : flags.execute,
        sandbox: sandboxOptions(flags),
      });
      print(flags.json ? result.summary : undefined, result);
    });
}

function compareCommand(): Command {
  return new Command("compare")
    .description("compare two runs on the same items: change of accuracy, flips, McNemar's p")
    .argument("<first>", "folder of a run")
    .argument("<second>", "folder of another run")
    .option("--acc-norm", "of runs by likelihood: by the log-probability for each byte")
    .option("--flips", "list the items that only one of the runs got right")
    .option("--json", "print the figures as JSON")
    .action(
      async (
        first: string,
        second: string,
        flags: { accNorm?: boolean; flips?: boolean; json?: boolean },
      ) => {
        const { compareEvals } = await import("../index.js");
        const likelihood = flags.accNorm ? "acc_norm" : "acc";
        const result = await compareEvals(first, second, { likelihood });
        print(flags.json ? { ...result.paired, flips: result.flips } : undefined, result);
        if (flags.flips && !flags.json) process.stdout.write(flipLines(result));
      },
    );
}

function flipLines({ flips }: EvalComparison): string {
  return flips
    .map(({ id, change, first, second, gold }) => {
      const [a, b, right] = [first, second, gold].map((answer) => JSON.stringify(answer));
      return `${change}  ${id}  ${a} → ${b}, right is ${right}\n`;
    })
    .join("");
}

function mergeCommand(): Command {
  return new Command("merge")
    .description("put the shards of a run together into one folder and score it")
    .argument("<target>", "folder of the whole run: a new one, or one that holds a part of it")
    .argument("<folders...>", "folders of the shards")
    .option("--data <source>", "where the questions are (default: where the runs had them from)")
    .option("--json", "print the figures as JSON")
    .action(async (target: string, folders: string[], flags: { data?: string; json?: boolean }) => {
      const { mergeRuns, scoreRun } = await import("../index.js");
      mergeRuns(target, folders);
      const data = flags.data === undefined ? {} : { data: flags.data };
      const result = await scoreRun(target, { ...data, execute: false });
      print(flags.json ? result.summary : undefined, result);
    });
}

function print(json: unknown, text: { toString(): string }): void {
  process.stdout.write(`${json === undefined ? text : JSON.stringify(json, null, 2)}\n`);
}

function parseSeeds(text: string): number[] {
  const seeds = text.split(",").map((part) => Number(part.trim() === "" ? Number.NaN : part));
  if (
    seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0) &&
    new Set(seeds).size === seeds.length
  ) {
    return seeds;
  }
  throw new InvalidArgumentError("It is a list of different whole numbers, such as 0,1,2.");
}

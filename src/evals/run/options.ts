import { checkOptionNames, PersimmonError } from "../../errors.js";
import type { LanguageModel } from "../../language_model.js";
import { optionChecks } from "../../option_checks.js";
import type { Preset } from "../data/presets.js";
import type { SandboxOptions } from "../sandbox/index.js";
import type { EvalItem, EvalTask, PromptSwitches } from "../task.js";
import { findTask } from "../tasks/index.js";
import type { EvalMethod } from "./manifest.js";
import { parseShard, type Shard } from "./shard.js";

/** What `runEval` takes. */
export interface RunEvalOptions<Item extends EvalItem = EvalItem> extends Partial<PromptSwitches> {
  /** The model as it is: swapped modules and edits in force are evaluated with it, and the manifest records them. */
  model: LanguageModel;
  /** A built-in task by its name, or one of `defineTask`. */
  task: string | EvalTask<Item>;
  /**
   * Where the questions are: a file or folder, "demo" (the bundled items), "hub" or "hub:owner/name", or a list of items.
   * Default: the task's own items, else "hub".
   */
  data?: string | readonly Item[];
  /** Which questions are asked; default: as the preset says, else the only split that there is. */
  split?: string;
  /** Where examples come from; default: as the preset says, else the split of the questions. */
  shotSplit?: string;
  /** MMLU: one subject. Winogrande and TriviaQA: a configuration; see `readItems`. */
  subset?: string;
  /**
   * Splits of questions and examples: "adept" as the release did it (examples from the split of the question), "clean" the test
   * split with examples from train, where there are any. Default for built-in tasks without a `split`: "adept".
   */
  preset?: Preset;
  /** "generate" (default): the model writes an answer. "likelihood": the most probable of the given ones counts. */
  method?: EvalMethod;
  /** Where the run is written, to be gone on with; without it everything stays in memory. */
  folder?: string;
  /** At most so many items, spread over the data: those whose ids have the lowest SHA-256. A larger limit goes on. */
  limit?: number;
  /** "i/n": only the items of part i of n, whose ids have a SHA-256 that leaves i when divided by n. */
  shard?: string;
  /** Chooses other examples; 0. */
  shotSeed?: number;
  /** Examples in a prompt; default: as the task says. */
  shots?: 0 | 1;
  /** Whether prompts begin with the BOS token; default: as the tokenizer says. (Adept's server does not, Hugging Face does.) */
  bos?: boolean;
  /** Most tokens of an answer; default: as the task says. */
  maxNewTokens?: number;
  /** Answers to each question, for pass@k; 1. More than one needs a temperature. */
  samples?: number;
  /** 0 takes the most likely token; default 0, with several samples 0.2. */
  temperature?: number;
  /** With a temperature: draw among the most likely tokens up to this probability; 0.95. */
  topP?: number;
  /** Most questions in a batch; 16. Smaller batches are made where the KV cache has no room. The results are the same. */
  batchSize?: number;
  /** Whether samples.jsonl holds the prompts; true. */
  keepPrompts?: boolean;
  /**
   * Whether programs are run, where a program decides (HumanEval); true. `scoreRun` can do it later.
   */
  execute?: boolean;
  /** How: see `Sandbox.open`. */
  sandbox?: SandboxOptions;
  /** Show a progress bar; true. */
  progress?: boolean;
  /** Called as items are finished. */
  onProgress?: (progress: EvalProgress) => void;
  /** Ends the run early with a partial result, as the notebook's stop button does. */
  signal?: AbortSignal;
}

/** How far a run is. */
export interface EvalProgress {
  /** Samples that are there, with those of earlier calls. */
  done: number;
  /** Samples that there will be. */
  total: number;
  /** Right ones among those that were judged. */
  correct: number;
  judged: number;
  /** Since this call began to ask. */
  seconds: number;
}

/** The options with their defaults. */
export interface CheckedOptions {
  model: LanguageModel;
  task: EvalTask;
  data: string | readonly EvalItem[] | undefined;
  split: string | undefined;
  shotSplit: string | undefined;
  subset: string | undefined;
  preset: Preset | undefined;
  method: EvalMethod;
  folder: string | undefined;
  limit: number | undefined;
  shard: Shard | undefined;
  shotSeed: number;
  shots: 0 | 1;
  bos: boolean;
  maxNewTokens: number;
  samples: number;
  temperature: number;
  topP: number;
  batchSize: number;
  keepPrompts: boolean;
  execute: boolean;
  sandbox: SandboxOptions;
  progress: boolean;
  onProgress: ((progress: EvalProgress) => void) | undefined;
  signal: AbortSignal | undefined;
  switches: PromptSwitches;
}

/** The part that needs no model here; `bos` is null where the tokenizer decides. */
export type CheckedQuestions = Omit<CheckedOptions, "model" | "bos"> & { bos: boolean | null };

/** All of them, for those who check names. */
export const runOptionNames = [
  "model",
  "task",
  "data",
  "split",
  "shotSplit",
  "subset",
  "preset",
  "method",
  "folder",
  "limit",
  "shard",
  "shotSeed",
  "shots",
  "bos",
  "maxNewTokens",
  "samples",
  "temperature",
  "topP",
  "batchSize",
  "keepPrompts",
  "execute",
  "sandbox",
  "progress",
  "onProgress",
  "signal",
  "finalNewline",
  "instructionPrefix",
  "chat",
] satisfies (keyof RunEvalOptions)[];

/** Checks and fills in. Throws `EVAL_OPTIONS_INVALID`, naming the option; `OPTION_UNKNOWN`, `TASK_UNKNOWN`. */
export function checkRunOptions<Item extends EvalItem>(options: RunEvalOptions<Item>): CheckedOptions {
  if (typeof options !== "object" || options === null) {
    throw invalid(`expected an object such as { model, task: "arc-easy" }, got ${String(options)}`);
  }
  checkOptionNames("runEval", options, runOptionNames);
  const { model } = options;
  if (typeof model?.generateBatch !== "function") {
    throw invalid("model must be one that loadModel gave (await it: `model: await loadModel()`)");
  }
  const questions = checkQuestions(options);
  return { ...questions, model, bos: questions.bos ?? model.tokenizer.addBos };
}

/** The same for who has no model yet; names of options are not checked. */
export function checkQuestions<Item extends EvalItem>(
  options: Omit<RunEvalOptions<Item>, "model">,
): CheckedQuestions {
  const task = checkedTask(options.task);
  const method = oneOf<EvalMethod>("method", options.method ?? "generate", ["generate", "likelihood"]);
  if (method === "likelihood" && task.likelihood === undefined) {
    throw invalid(`${task.name} has no likelihood form: it has no given answers to choose from`);
  }
  const samples = whole("samples", options.samples ?? 1, 1, 10_000);
  const temperature = options.temperature ?? (samples > 1 ? 0.2 : 0);
  between("temperature", temperature, 0, 100);
  if (method === "likelihood" && (samples > 1 || temperature > 0)) {
    throw invalid("likelihoods are not drawn: leave out samples and temperature");
  }
  if (samples > 1 && temperature === 0) {
    throw invalid("several samples need a temperature above 0: all greedy ones are the same");
  }
  between("topP", options.topP ?? 0.95, 0, 1);
  if (options.topP !== undefined && options.temperature === undefined && temperature === 0) {
    throw invalid("topP has no effect without a temperature, since the most likely token is taken");
  }
  if (options.limit !== undefined) whole("limit", options.limit, 1, Number.MAX_SAFE_INTEGER);
  for (const name of ["split", "shotSplit", "subset", "folder"] as const) {
    const value = options[name];
    if (value === undefined || (typeof value === "string" && value !== "")) continue;
    throw invalid(`${name} must be a text that is not empty, got ${JSON.stringify(value)}`);
  }
  const switches = {
    finalNewline: flag("finalNewline", options.finalNewline ?? true),
    instructionPrefix: options.instructionPrefix ?? "",
    chat: flag("chat", options.chat ?? false),
  };
  if (typeof switches.instructionPrefix !== "string") throw invalid("instructionPrefix must be a text");
  for (const name of ["onProgress", "signal"] as const) {
    const value: unknown = options[name];
    const fits =
      name === "signal" ? typeof (value as AbortSignal)?.aborted === "boolean" : typeof value === "function";
    if (value !== undefined && !fits) {
      throw invalid(
        `${name} must be ${name === "signal" ? "the signal of an AbortController" : "a function"}`,
      );
    }
  }
  return {
    task,
    data: options.data,
    split: options.split,
    shotSplit: options.shotSplit,
    subset: options.subset,
    preset: options.preset,
    method,
    folder: options.folder,
    limit: options.limit,
    shard: options.shard === undefined ? undefined : parseShard(options.shard),
    shotSeed: whole("shotSeed", options.shotSeed ?? 0, 0, Number.MAX_SAFE_INTEGER),
    shots: oneOf<0 | 1>("shots", options.shots ?? task.shots, [0, 1]),
    bos: options.bos === undefined ? null : flag("bos", options.bos),
    maxNewTokens: whole("maxNewTokens", options.maxNewTokens ?? task.maxNewTokens, 1, 2 ** 31 - 1),
    samples,
    temperature,
    topP: temperature === 0 ? 0 : (options.topP ?? 0.95),
    batchSize: whole("batchSize", options.batchSize ?? 16, 1, 1024),
    keepPrompts: flag("keepPrompts", options.keepPrompts ?? true),
    execute: flag("execute", options.execute ?? true),
    sandbox: options.sandbox ?? {},
    progress: flag("progress", options.progress ?? true),
    onProgress: options.onProgress,
    signal: options.signal,
    switches,
  };
}

function checkedTask(task: unknown): EvalTask {
  if (typeof task === "string") return findTask(task);
  const { name, prompt, extract, gold, stop } = (task ?? {}) as Partial<EvalTask>;
  const isTask =
    typeof name === "string" &&
    [prompt, extract, gold].every((f) => typeof f === "function") &&
    Array.isArray(stop);
  if (isTask) return task as EvalTask;
  throw invalid(
    `task must be the name of a built-in one, such as "arc-easy", or what defineTask gave, got ${String(task)}`,
  );
}

function invalid(message: string): PersimmonError {
  return new PersimmonError("EVAL_OPTIONS_INVALID", `options of the run: ${message}`);
}

const { whole, between, flag, oneOf } = optionChecks(invalid);

import { isRegExp } from "node:util/types";
import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import { optionChecks } from "../option_checks.js";
import type { KvSequence } from "../runtime/kv_cache.js";
import type { PromptProgress } from "../runtime/prefill.js";
import type { PromptLookupOptions } from "./prompt_lookup.js";
import type { Stop } from "./stopping.js";
import type { Generation } from "./token_stream.js";

/** How tokens are chosen and when to stop. */
export interface GenerateOptions {
  /** Most tokens to make; 256. Fewer are made where the context ends. */
  maxNewTokens?: number;
  /** 0 (the default) takes the most likely token; above, logits are divided by it before a draw. */
  temperature?: number;
  /** With a temperature: draw among the k most likely tokens (ties with the k-th stay); 0, the default, keeps all. */
  topK?: number;
  /** With a temperature: draw among the most likely tokens up to this cumulative probability; 0 or 1 keeps all (default 0). */
  topP?: number;
  /** With a temperature: makes draws repeatable; default: a new one each time. */
  seed?: number;
  /**
   * Texts and patterns that end the generation; they and what follows are not part of the result. A pattern (without the
   * flags g and y) is tried on the generated text after each character. While one is set, tokens are handed out line by line:
   * the last line may still be cut.
   */
  stop?: string | RegExp | readonly (string | RegExp)[];
  /** Whether each token comes with its log-probability under the unmodified logits. */
  logprobs?: boolean;
  /** Ends the generation early, with `finish: "interrupted"`. In a notebook the stop button does so as well. */
  signal?: AbortSignal;
  /** Told after each chunk of a long prompt, before the first token, how far it is. */
  onProgress?: (progress: PromptProgress) => void;
  /** Whether text prompts begin with the BOS token; default: as tokenizer_config.json says. */
  bos?: boolean;
  /**
   * A sequence to go on with (see `prefill`). It grows by the prompt and the generated tokens but the last one, which the
   * model has not seen.
   */
  kv?: KvSequence;
  /** Whether an EOS token ends the generation; true. */
  stopAtEos?: boolean;
  /** false runs the modules anew for each token instead of replaying the recorded plan; true. The results are the same. */
  capture?: boolean;
  /** For debugging: cuts the plan at every site; false. The results are the same. */
  breakEverywhere?: boolean;
  /**
   * Guesses the next tokens from earlier places of the text and lets one pass check several; false, and `true` stands for
   * `{ tokens: 8, ngram: 3 }`. The result is the same to the bit, with a temperature too, and comes sooner where the text
   * repeats itself. Hooks, watches and counters would see guesses that turn out wrong: with any in force it is refused.
   */
  promptLookup?: boolean | PromptLookupOptions;
}

/** What `generateBatch` takes. */
export interface BatchOptions extends Omit<GenerateOptions, "kv"> {
  /**
   * Called once for each prompt, with its index, as soon as its continuation has ended: the others of the batch may still be
   * running. Interrupted ones come last, with `finish: "interrupted"`. What it throws ends the batch and is thrown on.
   */
  onFinished?: (prompt: number, generation: Generation) => void;
}

const { whole, between, flag } = optionChecks((message) => new PersimmonError("SAMPLING_INVALID", message));

/** The options with their defaults, checked. */
export interface Sampling {
  maxNewTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  seed: number;
  stop: readonly Stop[];
  logprobs: boolean;
  stopAtEos: boolean;
  capture: boolean;
  breakEverywhere: boolean;
  promptLookup: Required<PromptLookupOptions> | undefined;
  onProgress: ((progress: PromptProgress) => void) | undefined;
}

/**
 * Fills in defaults. Throws `SAMPLING_INVALID`, naming the option, or `OPTION_UNKNOWN`. Options of draws are refused where no temperature
 * is given, which was probably forgotten; a temperature of 0 says that nothing is to be drawn.
 */
export function checkOptions(options: GenerateOptions): Sampling {
  if (typeof options !== "object" || options === null) {
    throw new PersimmonError(
      "SAMPLING_INVALID",
      `the options of generate are an object such as { maxNewTokens: 64 }, got ${valueText(options)}`,
    );
  }
  checkOptionNames("generate", options, known);
  const stop = checkStop(options.stop);
  if (options.signal !== undefined && typeof options.signal?.aborted !== "boolean") {
    throw new PersimmonError("SAMPLING_INVALID", "signal must be the signal of an AbortController");
  }
  if (options.onProgress !== undefined && typeof options.onProgress !== "function") {
    throw new PersimmonError("SAMPLING_INVALID", "onProgress must be a function");
  }
  const sampling: Sampling = {
    maxNewTokens: options.maxNewTokens ?? 256,
    temperature: options.temperature ?? 0,
    topK: options.topK ?? 0,
    topP: options.topP ?? 0,
    seed: options.seed ?? Math.floor(Math.random() * 2 ** 53),
    stop,
    logprobs: options.logprobs ?? false,
    stopAtEos: options.stopAtEos ?? true,
    capture: options.capture ?? true,
    breakEverywhere: options.breakEverywhere ?? false,
    promptLookup: checkLookup(options.promptLookup ?? false),
    onProgress: options.onProgress,
  };
  whole("maxNewTokens", sampling.maxNewTokens, 0, 2 ** 31);
  whole("topK", sampling.topK, 0, 2 ** 31 - 1);
  whole("seed", sampling.seed, 0, Number.MAX_SAFE_INTEGER);
  between("temperature", sampling.temperature, 0, 100);
  between("topP", sampling.topP, 0, 1);
  for (const name of ["logprobs", "stopAtEos", "capture", "breakEverywhere"] as const)
    flag(name, sampling[name]);
  if (options.temperature === undefined) expectNoDraws(options, sampling);
  return sampling;
}

/** Throws `SAMPLING_INVALID` for options that only draws need: the temperature was probably forgotten. */
function expectNoDraws(given: GenerateOptions, { topK, topP }: Sampling): void {
  const name =
    (topK > 0 && "topK") || (topP > 0 && topP < 1 && "topP") || (given.seed !== undefined && "seed");
  if (!name) return;
  throw new PersimmonError(
    "SAMPLING_INVALID",
    `${name} has no effect without a temperature, since the most likely token is taken: give a temperature above 0`,
  );
}

/** Parts what is for the whole batch from what is for each prompt. Throws `SAMPLING_INVALID`. */
export function checkBatchOptions(options: BatchOptions): {
  each: GenerateOptions;
  listener: Pick<BatchOptions, "onFinished">;
} {
  // What is no object is said by `checkOptions`.
  if (typeof options !== "object" || options === null) return { each: options, listener: {} };
  const names = [...known, "onFinished"].filter((name) => name !== "kv");
  checkOptionNames("generateBatch", options, names);
  const { onFinished, ...each } = options;
  if (onFinished === undefined) return { each, listener: {} };
  if (typeof onFinished !== "function") {
    throw new PersimmonError(
      "SAMPLING_INVALID",
      `onFinished must be a function (prompt, generation) => …, got ${valueText(onFinished)}`,
    );
  }
  return { each, listener: { onFinished } };
}

const known = new Set<string>([
  "maxNewTokens",
  "temperature",
  "topK",
  "topP",
  "seed",
  "stop",
  "logprobs",
  "signal",
  "onProgress",
  "bos",
  "kv",
  "stopAtEos",
  "capture",
  "breakEverywhere",
  "promptLookup",
] satisfies (keyof GenerateOptions)[]);

function checkStop(given: GenerateOptions["stop"] = []): readonly Stop[] {
  const list: unknown = typeof given === "string" || isRegExp(given) ? [given] : given;
  if (
    !Array.isArray(list) ||
    list.some((stop) => !isRegExp(stop) && (typeof stop !== "string" || stop === ""))
  ) {
    throw new PersimmonError(
      "SAMPLING_INVALID",
      "stop must be a text or a pattern, or a list of them, no text empty",
    );
  }
  for (const pattern of list.filter((stop) => isRegExp(stop))) {
    if (pattern.global || pattern.sticky) {
      throw new PersimmonError(
        "SAMPLING_INVALID",
        `a stop pattern has no flag g or y, which remember a position, got ${pattern}`,
      );
    }
    if (pattern.test("")) {
      throw new PersimmonError(
        "SAMPLING_INVALID",
        `the stop pattern ${pattern} matches the empty text and would end every text before it begins`,
      );
    }
  }
  return list;
}

function checkLookup(given: boolean | PromptLookupOptions): Required<PromptLookupOptions> | undefined {
  if (given === false) return undefined;
  const options: PromptLookupOptions = given === true ? {} : given;
  const unknown = Object.keys(Object(options)).find((name) => name !== "tokens" && name !== "ngram");
  if (typeof options !== "object" || options === null || unknown !== undefined) {
    throw new PersimmonError(
      "SAMPLING_INVALID",
      `promptLookup must be true, false or an object such as { tokens: 8, ngram: 3 }, got ${unknown === undefined ? valueText(given) : `one with "${unknown}"`}`,
    );
  }
  const { tokens = 8, ngram = 3 } = options;
  whole("promptLookup.tokens", tokens, 1, 64);
  whole("promptLookup.ngram", ngram, 2, 32);
  return { tokens, ngram };
}

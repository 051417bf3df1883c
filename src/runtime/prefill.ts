import { checkOptionNames, PersimmonError } from "../errors.js";
import { throwIfInterrupted } from "../host.js";
import { optionChecks } from "../option_checks.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import type { KvSequence } from "./kv_cache.js";
import type { PassObserver } from "./pass.js";
import type { Runtime } from "./runtime.js";

/** Tokens of a prompt that one forward pass takes, where a runtime does not say otherwise: bounds the memory. */
export const prefillChunk = 512;

/** How far a prompt is. */
export interface PromptProgress {
  stage: "prompt";
  /** Tokens that have been run. */
  loaded: number;
  total: number;
}

/** What goes with a prompt that may take long. */
export interface PromptOptions {
  /** Ends the run early; what was half done is forgotten, and the model goes on as before. */
  signal?: AbortSignal;
  /** Told after each chunk of the prompt how far it is. */
  onProgress?: (progress: PromptProgress) => void;
}

/**
 * Checks the options of a call that runs a prompt; `signal` and `bos` are checked where they are used.
 * @param more names that the call has besides `bos`, `signal` and `onProgress`
 * @throws PersimmonError OPTION_UNKNOWN, OPTION_INVALID
 */
export function checkPromptOptions(
  caller: string,
  options: PromptOptions,
  more: readonly string[] = [],
): void {
  checkOptionNames(caller, options, [...more, "bos", "signal", "onProgress"]);
  const { callback } = optionChecks((message) => new PersimmonError("OPTION_INVALID", message));
  callback("onProgress", options.onProgress);
}

/**
 * Puts the beginning of a prompt into a sequence, a chunk at a time, until at most `rest` tokens remain.
 * @param rest the remaining tokens go into the step that needs their logits; 0 leaves none
 * @returns the remaining tokens; more than `rest` when `signal` was aborted
 */
export async function prefill(
  runtime: Runtime,
  sequence: KvSequence,
  prompt: readonly number[],
  rest: number,
  signal?: AbortSignal,
  onProgress?: PromptOptions["onProgress"],
): Promise<readonly number[]> {
  let start = 0;
  while (prompt.length - start > rest && !signal?.aborted) {
    const end = Math.min(start + runtime.chunkTokens, prompt.length - Math.min(rest, 1));
    const ids = prompt.slice(start, end);
    try {
      using logits = await runtime.forward([{ sequence, ids, logits: "last" }], { signal });
      // Reading one number waits for the chunk, so that an interrupt finds at most one chunk under way.
      using first = scope(() => logits.reshape([logits.size]).rows(0, 1));
      await first.data();
    } catch (error) {
      if (isInterrupt(error, signal)) break;
      throw error;
    }
    start = end;
    onProgress?.({ stage: "prompt", loaded: start, total: prompt.length });
  }
  return prompt.slice(start);
}

/** Whether an error is what the abort of `signal` made of a pass. */
export function isInterrupt(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && (error as { code?: string }).code === "INTERRUPTED";
}

/**
 * Runs a whole prompt a chunk at a time and hands the logits of all its positions, or of the last one of each chunk, to `use`,
 * which must be done with them when it resolves. Rows are bit-identical to those of one pass over all of it.
 * @throws PersimmonError INTERRUPTED
 */
export async function forEachChunk(
  runtime: Runtime,
  sequence: KvSequence,
  prompt: readonly number[],
  options: {
    signal: AbortSignal;
    logits?: "all" | "last";
    onProgress?: PromptOptions["onProgress"];
    observer?: PassObserver;
  },
  use: (logits: Tensor, tokens: number) => Promise<void>,
): Promise<void> {
  const { signal, onProgress, observer, logits: rows = "all" } = options;
  for (let start = 0; start < prompt.length; start += runtime.chunkTokens) {
    throwIfInterrupted(signal);
    const ids = prompt.slice(start, start + runtime.chunkTokens);
    using logits = await runtime.forward([{ sequence, ids, logits: rows }], { signal, observer });
    await use(logits, ids.length);
    onProgress?.({ stage: "prompt", loaded: start + ids.length, total: prompt.length });
  }
}

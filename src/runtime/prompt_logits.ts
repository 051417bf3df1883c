import { constants } from "node:buffer";
import { PersimmonError } from "../errors.js";
import { optionChecks } from "../option_checks.js";
import type { PassObserver } from "./pass.js";
import { forEachChunk, type PromptOptions } from "./prefill.js";
import type { Runtime } from "./runtime.js";

export interface LogitsOptions extends PromptOptions {
  /** Whether a text begins with the BOS token; default: as the tokenizer's configuration says. */
  bos?: boolean;
  /** Of which positions: all (the default), or the last one, a row of [1, vocabulary], which spares the head's work for the others. */
  positions?: "all" | "last";
}

/** @throws PersimmonError OPTION_INVALID */
export function checkedPositions(positions: LogitsOptions["positions"] = "all"): "all" | "last" {
  const { oneOf } = optionChecks((message) => new PersimmonError("OPTION_INVALID", message));
  return oneOf("logits: positions", positions, ["all", "last"]);
}

/** Elements that a Float32Array may have. */
const largestArray = constants.MAX_LENGTH / 4;

/**
 * Logits of all positions of a text, or of its last one, a chunk at a time.
 * @param options `logits`: of which positions, all of them if it is left out; `observer` sees the values of each chunk;
 *   `afterChunk` is called with the number of its tokens when it is done
 * @returns [tokens, vocabulary], row-major, or [1, vocabulary]
 * @throws PersimmonError LOGITS_TOO_LARGE, INTERRUPTED
 */
export async function promptLogits(
  runtime: Runtime,
  ids: readonly number[],
  options: {
    signal: AbortSignal;
    logits?: "all" | "last";
    onProgress?: PromptOptions["onProgress"];
    observer?: PassObserver;
    afterChunk?: (count: number) => Promise<void>;
  },
): Promise<{ data: Float32Array; shape: number[] }> {
  const { vocabSize } = runtime.model.config;
  const rows = options.logits === "last" ? 1 : ids.length;
  if (rows * vocabSize > largestArray) {
    throw new PersimmonError(
      "LOGITS_TOO_LARGE",
      `${ids.length} tokens × ${vocabSize} logits do not fit into one array of ${largestArray} numbers: give a shorter text, or ask for those of the last position, or for logprobs`,
    );
  }
  const data = new Float32Array(rows * vocabSize);
  using sequence = runtime.kv.createSequence();
  let at = 0;
  await forEachChunk(runtime, sequence, ids, options, async (logits, tokens) => {
    at += tokens;
    // Of the last position alone: that of each chunk takes the place of the one before.
    const first = rows === 1 ? 0 : at - tokens;
    data.set(await logits.data(), first * vocabSize);
    await options.afterChunk?.(tokens);
  });
  return { data, shape: [rows, vocabSize] };
}

import { constants } from "node:buffer";
import { PersimmonError } from "../errors.js";
import type { PassObserver } from "./pass.js";
import { forEachChunk, type PromptOptions } from "./prefill.js";
import type { Runtime } from "./runtime.js";

/** Elements that a Float32Array may have. */
const largestArray = constants.MAX_LENGTH / 4;

/**
 * Logits of all positions of a text, a chunk at a time.
 * @param options `observer` sees the values of each chunk; `afterChunk` is called with the number of its tokens
 *   when it is done
 * @returns [tokens, vocabulary], row-major
 * @throws PersimmonError LOGITS_TOO_LARGE, INTERRUPTED
 */
export async function allLogits(
  runtime: Runtime,
  ids: readonly number[],
  options: {
    signal: AbortSignal;
    onProgress?: PromptOptions["onProgress"];
    observer?: PassObserver;
    afterChunk?: (count: number) => Promise<void>;
  },
): Promise<{ data: Float32Array; shape: number[] }> {
  const { vocabSize } = runtime.model.config;
  if (ids.length * vocabSize > largestArray) {
    throw new PersimmonError(
      "LOGITS_TOO_LARGE",
      `${ids.length} tokens × ${vocabSize} logits do not fit into one array of ${largestArray} numbers: give a shorter text, or ask for logprobs`,
    );
  }
  const data = new Float32Array(ids.length * vocabSize);
  using sequence = runtime.kv.createSequence();
  let at = 0;
  await forEachChunk(runtime, sequence, ids, options, async (logits) => {
    data.set(await logits.data(), at * vocabSize);
    const [count] = logits.shape;
    await options.afterChunk?.(count);
    at += count;
  });
  return { data, shape: [ids.length, vocabSize] };
}

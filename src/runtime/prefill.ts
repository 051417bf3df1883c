import { scope } from "../tensor/scope.js";
import type { KvSequence } from "./kv_cache.js";
import type { Runtime } from "./runtime.js";

/** Tokens of a prompt that one forward pass takes: bounds the memory and the time to react to an interrupt. */
export const prefillChunk = 512;

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
): Promise<readonly number[]> {
  let start = 0;
  while (prompt.length - start > rest && !signal?.aborted) {
    const ids = prompt.slice(start, Math.min(start + prefillChunk, prompt.length - Math.min(rest, 1)));
    using logits = await runtime.forward([{ sequence, ids, logits: "last" }]);
    // Reading one number waits for the chunk, so that an interrupt finds at most one chunk under way.
    using first = scope(() => logits.reshape([logits.size]).rows(0, 1));
    await first.data();
    start += ids.length;
  }
  return prompt.slice(start);
}

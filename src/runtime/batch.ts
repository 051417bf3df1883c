import { PersimmonError } from "../errors.js";
import { type KvCache, KvSequence } from "./kv_cache.js";

/** Tokens that one sequence of a batch goes on with. */
export interface BatchEntry {
  sequence: KvSequence;
  ids: readonly number[];
  /** Which of the tokens' logits are wanted. */
  logits: "last" | "all";
}

/** A sequence of another model has pages of another cache: using it would overwrite someone else's keys. */
export function checkSequences(kv: KvCache, batch: readonly BatchEntry[]): void {
  const sequences = new Set<unknown>(batch.map((entry) => entry.sequence));
  for (const sequence of sequences) {
    if (!(sequence instanceof KvSequence) || !sequence.isOf(kv)) {
      throw new PersimmonError(
        "SEQUENCE_FOREIGN",
        "a KV sequence belongs to the model that made it (prefill or kv.createSequence) and to no other",
      );
    }
  }
  if (sequences.size < batch.length) {
    throw new PersimmonError(
      "SEQUENCE_REPEATED",
      "each row of a batch needs a KV sequence of its own: fork() makes another with the same content",
    );
  }
}

/** Makes room in all sequences; the function that is returned takes it back. */
export function extendSequences(batch: readonly BatchEntry[]): () => void {
  const lengths = batch.map((entry) => entry.sequence.length);
  const takeBack = () => {
    for (const [index, { sequence }] of batch.entries()) {
      if (sequence.length > lengths[index]) sequence.truncate(lengths[index]);
    }
  };
  try {
    for (const { sequence, ids } of batch) sequence.extend(ids.length);
  } catch (error) {
    takeBack();
    throw error;
  }
  return takeBack;
}

/** The page table of a batch, [sequences, pagesPerSequence], row-major. */
export function pageTable(batch: readonly BatchEntry[], pagesPerSequence: number): Int32Array {
  const table = new Int32Array(batch.length * pagesPerSequence);
  for (const [index, { sequence }] of batch.entries()) table.set(sequence.pages, index * pagesPerSequence);
  return table;
}

import { PersimmonError } from "../errors.js";
import type { Persimmon } from "../model/persimmon.js";
import { withNames } from "../nn/path.js";
import { type Observer, observed } from "../nn/tap.js";
import type { Device } from "../tensor/device.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { type KvCache, KvSequence } from "./kv_cache.js";

/** Tokens that one sequence of a batch goes on with. */
export interface BatchEntry {
  sequence: KvSequence;
  ids: readonly number[];
  /** Which of the tokens' logits are wanted. */
  logits: "last" | "all";
}

/**
 * One forward pass over a flat batch: the tokens of all entries behind one another. Sequences grow by their tokens; if
 * anything throws they keep their former length. Throws `SEQUENCE_FOREIGN`, `SEQUENCE_REPEATED`, `SEQUENCE_RELEASED`,
 * `KV_CACHE_FULL`.
 * @returns logits [rows, vocabulary], the rows of the first entry first; the caller releases it
 */
export function forward(
  model: Persimmon,
  device: Device,
  kv: KvCache,
  batch: readonly BatchEntry[],
  observer?: Observer,
): Tensor {
  checkSequences(kv, batch);
  const lengths = batch.map((entry) => entry.sequence.length);
  try {
    for (const entry of batch) entry.sequence.extend(entry.ids.length);
    return scope(() => {
      const step = makeStep(device, kv, batch, lengths);
      return withNames(model, () => observed(observer, () => model.call(step)));
    });
  } catch (error) {
    for (const [index, entry] of batch.entries()) {
      if (entry.sequence.length > lengths[index]) entry.sequence.truncate(lengths[index]);
    }
    throw error;
  }
}

/** A sequence of another model has pages of another cache: using it would overwrite someone else's keys. */
function checkSequences(kv: KvCache, batch: readonly BatchEntry[]): void {
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

function makeStep(device: Device, kv: KvCache, batch: readonly BatchEntry[], starts: readonly number[]) {
  const ids: number[] = [];
  const positions: number[] = [];
  const sequences: number[] = [];
  const logitRows: number[] = [];
  for (const [index, entry] of batch.entries()) {
    for (const [offset, id] of entry.ids.entries()) {
      if (entry.logits === "all" || offset === entry.ids.length - 1) logitRows.push(ids.length);
      ids.push(id);
      positions.push(starts[index] + offset);
      sequences.push(index);
    }
  }
  const longest = Math.max(...batch.map((entry) => entry.sequence.length));
  const pagesPerSequence = Math.max(...batch.map((entry) => entry.sequence.pages.length));
  const pageTable = new Int32Array(batch.length * pagesPerSequence);
  for (const [index, entry] of batch.entries()) {
    pageTable.set(entry.sequence.pages, index * pagesPerSequence);
  }
  const integers = (values: ArrayLike<number>) => Tensor.from(device, Int32Array.from(values));
  const shared = {
    positions: integers(positions),
    sequences: integers(sequences),
    pageTable: integers(pageTable).reshape([batch.length, pagesPerSequence]),
    longest,
  };
  return {
    ids: integers(ids),
    logitRows: logitRows.length === ids.length ? undefined : integers(logitRows),
    cache: (layer: number) => ({ ...kv.layers[layer], ...shared }),
  };
}

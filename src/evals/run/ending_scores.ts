import type { KvSequence } from "../../runtime/kv_cache.js";
import { prefillChunk } from "../../runtime/prefill.js";
import type { Runtime } from "../../runtime/runtime.js";
import * as ops from "../../tensor/ops/index.js";
import { Tensor } from "../../tensor/tensor.js";

/** A whole text, and from which of its tokens on it is scored (1 or more: the first has none before it). */
export interface ScoredText {
  ids: readonly number[];
  from: number;
}

/**
 * Sums of log-probabilities of the ends of texts, in nats. The texts of a group begin alike: what they have in common is
 * computed once, and each goes on from a fork of it.
 * @param groups the texts of each item
 * @returns one number for each text
 * @throws PersimmonError INTERRUPTED where `signal` is aborted before the last pass has ended
 */
export async function endingScores(
  runtime: Runtime,
  groups: readonly (readonly ScoredText[])[],
  signal?: AbortSignal,
): Promise<number[][]> {
  const sequences: KvSequence[] = [];
  const own = (sequence: KvSequence) => {
    sequences.push(sequence);
    return sequence;
  };
  try {
    const begun = groups.map((texts) => {
      const shared = sharedLength(texts);
      return { texts, shared, sequence: own(runtime.kv.createSequence()) };
    });
    const beginnings = begun.flatMap(({ texts, shared, sequence }) =>
      shared === 0 ? [] : [{ sequence, ids: texts[0].ids.slice(0, shared) }],
    );
    for await (const { logits } of passes(runtime, beginnings, "last", signal)) logits.release();
    const ends = begun.flatMap(({ texts, shared, sequence }, group) =>
      texts.map((text, index) => ({
        group,
        from: text.from - shared - 1,
        targets: text.ids.slice(shared + 1),
        // The last token predicts what is not there.
        ids: text.ids.slice(shared, -1),
        sequence: index === texts.length - 1 ? sequence : own(sequence.fork()),
      })),
    );
    const sums = groups.map((): number[] => []);
    const totals = new Map<(typeof ends)[number], number>();
    for await (const { logits, parts } of passes(runtime, ends, "all", signal)) {
      using _released = logits;
      const targets = parts.flatMap(({ entry, start, count }) => entry.targets.slice(start, start + count));
      using next = Tensor.from(runtime.device, Int32Array.from(targets));
      using scores = ops.gatherLogProbability(logits, next);
      const values = await scores.data();
      let at = 0;
      for (const { entry, start, count } of parts) {
        let sum = totals.get(entry) ?? 0;
        for (let row = 0; row < count; row++) if (start + row >= entry.from) sum += values[at + row];
        totals.set(entry, sum);
        at += count;
      }
    }
    for (const end of ends) sums[end.group].push(totals.get(end) ?? 0);
    return sums;
  } finally {
    for (const sequence of sequences) sequence.release();
  }
}

/** Tokens that all texts of a group begin with; each keeps one before the first that is scored. */
function sharedLength(texts: readonly ScoredText[]): number {
  const [{ ids }] = texts;
  let shared = Math.min(...texts.map(({ from }) => from - 1));
  for (const text of texts) {
    let same = 0;
    while (same < shared && text.ids[same] === ids[same]) same++;
    shared = same;
  }
  return shared;
}

interface Entry {
  sequence: KvSequence;
  ids: readonly number[];
}

/** Which tokens of an entry a pass has taken. */
interface Part<E extends Entry> {
  entry: E;
  start: number;
  count: number;
}

/** Runs the entries in flat passes of at most `prefillChunk` tokens; a longer one goes through several. */
async function* passes<E extends Entry>(
  runtime: Runtime,
  entries: readonly E[],
  logits: "last" | "all",
  signal: AbortSignal | undefined,
): AsyncGenerator<{ logits: Tensor; parts: Part<E>[] }, void, undefined> {
  let parts: Part<E>[] = [];
  let room = prefillChunk;
  const run = async () => {
    const batch = parts.map(({ entry: { sequence, ids }, start, count }) => ({
      sequence,
      ids: ids.slice(start, start + count),
      logits,
    }));
    const pass = { logits: await runtime.forward(batch, { signal }), parts };
    parts = [];
    room = prefillChunk;
    return pass;
  };
  for (const entry of entries) {
    for (let start = 0; start < entry.ids.length; ) {
      const left = entry.ids.length - start;
      // Cut only what no pass could take as a whole; a sequence is once in a pass.
      if (parts.length > 0 && left > room) yield await run();
      const count = Math.min(left, prefillChunk);
      parts.push({ entry, start, count });
      room -= count;
      start += count;
      if (start < entry.ids.length) yield await run();
    }
  }
  if (parts.length > 0) yield await run();
}

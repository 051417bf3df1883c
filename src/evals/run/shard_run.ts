import type { EvalItem } from "../task.js";
import { generateSamples } from "./generate_samples.js";
import { likelihoodSamples } from "./likelihood_samples.js";
import type { PreparedRun, Question } from "./prepare.js";
import { type Sample, sampleKey } from "./samples.js";
import { shuffled } from "./shard.js";

/** A sample of a run. */
export interface Wanted {
  question: Question;
  sample: number;
  /** Whether it is there already. */
  isDone: boolean;
}

/** Samples that were made, in the order of samples.jsonl, and what they took. */
export interface Finished<S extends Sample = Sample> {
  samples: S[];
  promptTokens: number;
  generatedTokens: number;
}

/** The same of a whole batch; its samples were kept one by one before. */
export interface FinishedBatch<S extends Sample = Sample> extends Finished<S> {
  ms: number;
}

/**
 * Takes samples at once, as soon as there is nothing more to come of them, while others of their batch are still being made.
 * What it throws ends the run.
 */
export type Keep = (finished: Finished) => void;

/**
 * Makes the samples of some items, and knows nothing of folders: who runs a shard on another machine sends on what `keep` is
 * given. Gives each batch when it is done; after an interrupt it ends with what was finished.
 * @param items those of a shard, as `selected` gives them
 * @param done keys of samples that are there already
 */
export async function* makeSamples(
  run: PreparedRun,
  items: readonly EvalItem[],
  done: ReadonlySet<string>,
  signal: AbortSignal,
  keep: Keep,
): AsyncGenerator<FinishedBatch, void, undefined> {
  const numbers = Array.from({ length: run.manifest.settings.samples }, (_, sample) => sample);
  const isDone = (id: string, sample: number) => done.has(sampleKey({ id, sample }));
  if (items.every(({ id }) => numbers.every((sample) => isDone(id, sample)))) return;
  const wanted = shuffled(items).flatMap((item): Wanted[] => {
    const question = run.question(item);
    return numbers.map((sample) => ({ question, sample, isDone: isDone(item.id, sample) }));
  });
  const make = run.manifest.method === "generate" ? generateSamples : likelihoodSamples;
  yield* make(run, wanted, signal, keep);
}

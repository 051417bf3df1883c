import type { EvalItem } from "../task.js";
import { generateSamples } from "./generate_samples.js";
import { likelihoodSamples } from "./likelihood_samples.js";
import type { PreparedRun, Question } from "./prepare.js";
import { type Sample, sampleKey } from "./samples.js";

/** A sample that is to be made. */
export interface Wanted {
  question: Question;
  sample: number;
}

/** Samples that were made together, in the order of samples.jsonl. */
export interface Finished<S extends Sample = Sample> {
  samples: S[];
  ms: number;
  promptTokens: number;
  generatedTokens: number;
}

/**
 * Makes the samples of some items, a batch at a time, and knows nothing of folders: who runs a shard on another machine sends
 * on what this gives. After an interrupt it ends with what was finished.
 * @param items those of a shard, as `selected` gives them
 * @param done keys of samples that are there already
 */
export async function* makeSamples(
  run: PreparedRun,
  items: readonly EvalItem[],
  done: ReadonlySet<string>,
  signal: AbortSignal,
): AsyncGenerator<Finished, void, undefined> {
  const count = run.manifest.settings.samples;
  const wanted = items.flatMap((item): Wanted[] => {
    const missing = Array.from({ length: count }, (_, sample) => sample).filter(
      (sample) => !done.has(sampleKey({ id: item.id, sample })),
    );
    if (missing.length === 0) return [];
    const question = run.question(item);
    return missing.map((sample) => ({ question, sample }));
  });
  const make = run.manifest.method === "generate" ? generateSamples : likelihoodSamples;
  yield* make(run, wanted, signal);
}

import { createHash } from "node:crypto";
import type { Generation } from "../../generation/token_stream.js";
import { batchesLeft } from "./batches.js";
import type { PreparedRun } from "./prepare.js";
import { type GeneratedSample, sampleLine } from "./samples.js";
import { readAnswer } from "./score.js";
import type { Finished, FinishedBatch, Keep, Wanted } from "./shard_run.js";

/**
 * Writes answers, a batch at a time; each is kept as soon as it has ended. A row of a batch is bit-identical to the same prompt
 * alone, so batches change no result.
 */
export async function* generateSamples(
  run: PreparedRun,
  wanted: readonly Wanted[],
  signal: AbortSignal,
  keep: Keep,
): AsyncGenerator<FinishedBatch<GeneratedSample>, void, undefined> {
  const { model, task, manifest } = run;
  const { settings } = manifest;
  const { temperature, top_p: topP } = settings;
  const isGreedy = temperature === 0;
  const left = batchesLeft(wanted, ({ isDone }) => isDone, {
    most: settings.batch_size,
    kv: model.kv,
    pagesOf: ({ question }) =>
      Math.ceil((question.ids.length + settings.max_new_tokens) / model.kv.pageTokens),
    // Samples with a temperature: of one item each.
    goesWith: (one, last) =>
      isGreedy || (last.question.item.id === one.question.item.id && last.sample + 1 === one.sample),
  });
  for (const batch of left) {
    if (signal.aborted) return;
    const started = performance.now();
    const finished: Finished<GeneratedSample> = { samples: [], promptTokens: 0, generatedTokens: 0 };
    // Rows have the seeds seed, seed + 1, …: those of samples of one item that follow one another.
    const seed = seedOf(settings.shot_seed, task.name, batch[0].question.item.id) + batch[0].sample;
    await model.generateBatch(
      batch.map(({ question }) => question.ids),
      {
        maxNewTokens: settings.max_new_tokens,
        stop: task.stop,
        signal,
        ...(!isGreedy && { temperature, topP, seed }),
        onFinished: (row, generation) => {
          const promptTokens = batch[row].question.ids.length;
          const generatedTokens = generation.ids.length;
          finished.promptTokens += promptTokens;
          finished.generatedTokens += generatedTokens;
          const sample = sampleOf(run, batch[row], generation);
          if (sample === undefined) return;
          finished.samples.push(sample);
          keep({ samples: [sample], promptTokens, generatedTokens });
        },
      },
    );
    yield { ...finished, ms: performance.now() - started };
  }
}

/** undefined for an answer that was interrupted. */
function sampleOf(
  { task, manifest, fingerprint }: PreparedRun,
  { question, sample }: Wanted,
  { text, ids, finish }: Generation,
): GeneratedSample | undefined {
  if (finish === "interrupted") return undefined;
  const line = { task, fingerprint, keepPrompts: manifest.settings.keep_prompts };
  return {
    ...sampleLine(line, question, sample, question.ids.length),
    generated_ids: ids,
    text,
    finish,
    ...readAnswer(task, question.item, text),
  };
}

/** The seed of an item's samples: the first 48 bits of SHA-256(`seed U+001F task U+001F id U+001F "samples"`). */
export function seedOf(seed: number, task: string, id: string): number {
  const text = [seed, task, id, "samples"].join("\u001f");
  return createHash("sha256").update(text, "utf8").digest().readUIntBE(0, 6);
}

import { createHash } from "node:crypto";
import { batches, order } from "./batches.js";
import type { PreparedRun } from "./prepare.js";
import { type GeneratedSample, sampleLine } from "./samples.js";
import { readAnswer } from "./score.js";
import type { Finished, Wanted } from "./shard_run.js";

/**
 * Writes answers, a batch at a time. The longest prompts come first: what does not fit shows at once, and the time that is left
 * is not underestimated. A row of a batch is bit-identical to the same prompt alone, so batches change no result.
 */
export async function* generateSamples(
  run: PreparedRun,
  wanted: readonly Wanted[],
  signal: AbortSignal,
): AsyncGenerator<Finished<GeneratedSample>, void, undefined> {
  const { model, task, manifest, fingerprint } = run;
  const { settings } = manifest;
  const isGreedy = settings.temperature === 0;
  const line = { task, fingerprint, keepPrompts: settings.keep_prompts };
  const sorted = [...wanted].sort((a, b) => order(a.question, b.question) || a.sample - b.sample);
  const pagesOf = ({ question }: Wanted) =>
    Math.ceil((question.ids.length + settings.max_new_tokens) / model.kv.pageTokens);
  // Samples with a temperature: of one item each.
  const goesWith = (one: Wanted, last: Wanted) =>
    isGreedy || (last.question.item.id === one.question.item.id && last.sample + 1 === one.sample);
  for (const batch of batches(sorted, settings.batch_size, model.kv, pagesOf, goesWith)) {
    if (signal.aborted) return;
    const started = performance.now();
    const { temperature, top_p: topP } = settings;
    // Rows have the seeds seed, seed + 1, …: those of samples of one item that follow one another.
    const seed = seedOf(settings.shot_seed, task.name, batch[0].question.item.id) + batch[0].sample;
    const generations = await model.generateBatch(
      batch.map(({ question }) => question.ids),
      {
        maxNewTokens: settings.max_new_tokens,
        stop: task.stop,
        signal,
        ...(!isGreedy && { temperature, topP, seed }),
      },
    );
    const samples = batch.flatMap(({ question, sample }, row): GeneratedSample[] => {
      const { text, ids, finish } = generations[row];
      if (finish === "interrupted") return [];
      return [
        {
          ...sampleLine(line, question, sample, question.ids.length),
          generated_ids: ids,
          text,
          finish,
          ...readAnswer(task, question.item, text),
        },
      ];
    });
    yield {
      samples,
      ms: performance.now() - started,
      promptTokens: batch.reduce((sum, { question }) => sum + question.ids.length, 0),
      generatedTokens: generations.reduce((sum, { ids }) => sum + ids.length, 0),
    };
  }
}

/** The seed of an item's samples: the first 48 bits of SHA-256(`seed U+001F task U+001F id U+001F "samples"`). */
export function seedOf(seed: number, task: string, id: string): number {
  const text = [seed, task, id, "samples"].join("\u001f");
  return createHash("sha256").update(text, "utf8").digest().readUIntBE(0, 6);
}

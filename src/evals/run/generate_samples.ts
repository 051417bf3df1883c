import { createHash } from "node:crypto";
import type { KvCache } from "../../runtime/kv_cache.js";
import type { PreparedRun, Question } from "./prepare.js";
import type { GeneratedSample } from "./samples.js";
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
  for (const batch of batches(wanted, settings, model.kv)) {
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
      const { item, prompt } = question;
      return [
        {
          fingerprint,
          task: task.name,
          id: item.id,
          sample,
          shot_id: question.shotId,
          prompt_sha256: question.promptSha256,
          ...(settings.keep_prompts && { prompt }),
          n_prompt_tokens: question.ids.length,
          generated_ids: ids,
          text,
          finish,
          ...readAnswer(task, item, text),
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

/** Batches of at most `batch_size` rows that the KV cache has room for. Samples with a temperature: of one item each. */
export function* batches(
  wanted: readonly Wanted[],
  settings: { batch_size: number; max_new_tokens: number; temperature: number },
  kv: Pick<KvCache, "pageCount" | "pageTokens">,
): Generator<Wanted[], void, undefined> {
  const sorted = [...wanted].sort((a, b) => order(a.question, b.question) || a.sample - b.sample);
  let batch: Wanted[] = [];
  let pages = 0;
  for (const one of sorted) {
    const own = Math.ceil((one.question.ids.length + settings.max_new_tokens) / kv.pageTokens);
    const last = batch.at(-1);
    const goesOn =
      settings.temperature === 0 ||
      last === undefined ||
      (last.question.item.id === one.question.item.id && last.sample + 1 === one.sample);
    const isFull = batch.length >= settings.batch_size || pages + own > kv.pageCount;
    if (last !== undefined && (isFull || !goesOn)) {
      yield batch;
      batch = [];
      pages = 0;
    }
    batch.push(one);
    pages += own;
  }
  if (batch.length > 0) yield batch;
}

/** The longest first; of equal ones by id, so that the order does not depend on that of the data. */
export function order(a: Question, b: Question): number {
  return b.ids.length - a.ids.length || (a.item.id < b.item.id ? -1 : a.item.id > b.item.id ? 1 : 0);
}

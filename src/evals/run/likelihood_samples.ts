import { PersimmonError } from "../../errors.js";
import { isInterrupt } from "../../runtime/prefill.js";
import { batchesLeft } from "./batches.js";
import { endingScores, type ScoredText } from "./ending_scores.js";
import { encode, type PreparedRun, type Question } from "./prepare.js";
import { type LikelihoodSample, sampleLine } from "./samples.js";
import type { FinishedBatch, Keep, Wanted } from "./shard_run.js";

/** An item's texts with the endings cut off from what is given. */
interface Cut {
  question: Question;
  isDone: boolean;
  texts: ScoredText[];
  bytes: number[];
}

/**
 * Scores given answers. A text is tokenised as a whole, context and ending together, and cut after as many tokens as the context
 * alone has: as lm-eval does, whose input is the same wherever the whole begins with the context's tokens.
 */
export async function* likelihoodSamples(
  run: PreparedRun,
  wanted: readonly Wanted[],
  signal: AbortSignal,
  keep: Keep,
): AsyncGenerator<FinishedBatch<LikelihoodSample>, void, undefined> {
  const { model, task, manifest, fingerprint } = run;
  const { settings } = manifest;
  const line = { task, fingerprint, keepPrompts: settings.keep_prompts };
  const cuts = wanted.map((one): Cut => ({ ...cut(run, one.question), isDone: one.isDone }));
  const left = batchesLeft(cuts, ({ isDone }) => isDone, {
    most: settings.batch_size,
    kv: model.kv,
    // As if nothing could be shared.
    pagesOf: ({ texts }) =>
      texts.reduce((sum, { ids }) => sum + Math.ceil(ids.length / model.kv.pageTokens) + 1, 0),
  });
  for (const group of left) {
    if (signal.aborted) return;
    const started = performance.now();
    const texts = group.map((one) => one.texts);
    const sums = await endingScores(model.runtime, texts, signal).catch((error) => {
      if (isInterrupt(error, signal)) return undefined;
      throw error;
    });
    if (sums === undefined) return;
    const samples = group.map(({ question, texts, bytes }, at): LikelihoodSample => {
      const logprobs = sums[at];
      expectNumbers(question, logprobs);
      const gold = question.likelihood?.gold ?? 0;
      const answer = largest(logprobs);
      const answerNorm = largest(logprobs.map((sum, ending) => sum / bytes[ending]));
      return {
        ...sampleLine(line, question, 0, question.ids.length),
        logprobs,
        n_tokens: texts.map(({ ids, from }) => ids.length - from),
        n_bytes: bytes,
        answer,
        answer_norm: answerNorm,
        gold,
        correct: answer === gold,
        correct_norm: answerNorm === gold,
      };
    });
    const promptTokens = group.reduce(
      (sum, { texts }) => sum + texts.reduce((n, { ids }) => n + ids.length, 0),
      0,
    );
    const finished = { samples, promptTokens, generatedTokens: 0 };
    keep(finished);
    yield { ...finished, ms: performance.now() - started };
  }
}

function cut({ model, task, manifest }: PreparedRun, question: Question): Omit<Cut, "isDone"> {
  const { item, likelihood } = question;
  const { bos } = manifest.settings;
  const { context = "", endings = [], given } = likelihood ?? {};
  const gold = likelihood?.gold;
  if (endings.length < 2 || !Number.isInteger(gold) || gold! < 0 || gold! >= endings.length) {
    throw new PersimmonError(
      "DATA_INVALID",
      `${task.name}, item "${item.id}": a likelihood needs two endings or more and the index of the right one, got ${endings.length} and ${String(gold)}`,
    );
  }
  const texts = endings.map((ending, index): ScoredText => {
    const ids = encode(model, context + ending, bos, item);
    const before = given?.[index] ?? 0;
    const known = before === 0 ? question.ids : encode(model, context + ending.slice(0, before), bos, item);
    // At least one token has to be scored, and one has to be before it.
    return { ids, from: Math.max(1, Math.min(known.length, ids.length - 1)) };
  });
  const short = texts.findIndex(({ ids }) => ids.length < 2);
  if (short >= 0) {
    throw new PersimmonError(
      "DATA_INVALID",
      `${task.name}, item "${item.id}": context and ending ${short} make fewer than two tokens; nothing can be scored`,
    );
  }
  const bytes = endings.map((ending, index) => {
    const before = given?.[index] ?? 0;
    const scored = before === 0 ? ending.replace(/^\s/, "") : ending.slice(before);
    return Math.max(1, Buffer.byteLength(scored, "utf8"));
  });
  return { question, texts, bytes };
}

/** A model that was changed may give none; the first ending would then win every time. */
function expectNumbers({ item }: Question, logprobs: readonly number[]): void {
  const wrong = logprobs.findIndex((sum) => Number.isNaN(sum));
  if (wrong < 0) return;
  throw new PersimmonError(
    "ACTIVATION_NOT_FINITE",
    `item "${item.id}": the log-probability of ending ${wrong} is not a number: the model gives NaN (model.checkFinite = true finds where)`,
  );
}

function largest(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > values[best] ? index : best), 0);
}

import type { KvSequence } from "../runtime/kv_cache.js";
import { isInterrupt, prefill } from "../runtime/prefill.js";
import type { Runtime } from "../runtime/runtime.js";
import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import { choiceInPlan } from "./choice.js";
import type { Sampling } from "./options.js";
import { PromptLookup } from "./prompt_lookup.js";
import { SeededRandom } from "./random.js";
import { type TextDecoderStream, TextWriter } from "./text_writer.js";
import type { Generation, Token } from "./token_stream.js";

/** What a generation needs of a loaded model. */
export interface Generator {
  runtime: Runtime;
  eosTokenIds: readonly number[];
  /** Positions that a sequence may have. */
  maxLength: number;
  /** Turns ids into text as they come, as a continuation of `prompt`. */
  decodeStream(prompt: readonly number[]): TextDecoderStream;
}

/** A prompt and the sequence that it goes into. */
export interface Row {
  prompt: readonly number[];
  /** Holds what the prompt continues, and the first `known` tokens of the prompt; keeps what is generated. */
  sequence: KvSequence;
  known: number;
}

/** A sequence that is being generated. */
interface Running {
  /** Of the prompt. */
  index: number;
  sequence: KvSequence;
  /** Tokens that the model has not seen yet. */
  next: readonly number[];
  /** Tokens that may follow `next`: the pass checks them. */
  guess: readonly number[];
  writer: TextWriter;
  random: SeededRandom;
  lookup: PromptLookup | undefined;
}

/** What a pass has chosen for one row: a token after `next`, and one after each token of the guess. */
interface Chosen {
  ids: Int32Array;
  logprobs: Float32Array | undefined;
}

/** Tokens that prompts must have in common before it pays to compute them once. */
const leastShared = 128;

/**
 * Empty sequences for prompts that begin alike (with instructions and examples, as those of an evaluation do): what all have
 * in common is computed once, and the sequences are forks of it. The bits are those of each prompt alone.
 * @param add is given every sequence as soon as there is one, to be released
 */
export async function rowsWithSharedPrefix(
  runtime: Runtime,
  prompts: readonly (readonly number[])[],
  sampling: Sampling,
  signal: AbortSignal,
  add: (sequence: KvSequence) => void,
): Promise<Row[]> {
  const first = runtime.kv.createSequence();
  add(first);
  const known = sharedLength(runtime, prompts, sampling);
  if (known > 0) await prefill(runtime, first, prompts[0].slice(0, known), 0, signal);
  return prompts.map((prompt, index) => {
    const sequence = index === 0 ? first : first.fork();
    if (index > 0) add(sequence);
    return { prompt, sequence, known: first.length };
  });
}

/** How many tokens all prompts begin with that are computed once for all of them. */
export function sharedLength(
  runtime: Runtime,
  prompts: readonly (readonly number[])[],
  { maxNewTokens }: Sampling,
): number {
  // Who looks at the prompts is to see each of them.
  const observed = runtime.interventions.observes("prefill");
  if (prompts.length < 2 || observed || maxNewTokens === 0) return 0;
  const length = commonLength(prompts);
  return length < leastShared ? 0 : length;
}

/** How many tokens all prompts begin with, but for the last of any, which has to be run for its logits. */
function commonLength([first, ...others]: readonly (readonly number[])[]): number {
  let length = first.length - 1;
  for (const other of others) {
    length = Math.min(length, other.length - 1);
    for (let i = 0; i < length; i++) if (other[i] !== first[i]) length = i;
  }
  return length;
}

/** Who is told of a batch while it runs; each time with the index of the prompt. */
export interface BatchListener {
  onToken?: (prompt: number, token: Token) => void;
  /** Once for each prompt, as soon as its continuation has ended, while others still run. */
  onFinished?: (prompt: number, generation: Generation) => void;
}

/**
 * Generates continuations of several prompts together, each in its own sequence. A row of a batch is bit-identical to
 * the same prompt alone. Of rows that end with the same step, the listener is told in the order of the rows; what it throws
 * ends the batch.
 */
export async function generateBatch(
  at: Generator,
  rows: readonly Row[],
  sampling: Sampling,
  signal: AbortSignal,
  listener: BatchListener,
): Promise<Generation[]> {
  // The first step takes the ends of all prompts together, as many tokens as one chunk has.
  const rest = Math.max(1, Math.floor(at.runtime.chunkTokens / rows.length));
  const running: Running[] = [];
  for (const [index, { prompt, sequence, known }] of rows.entries()) {
    const unknown = prompt.slice(known);
    const writer = new TextWriter(
      at.decodeStream(prompt),
      sampling.stop,
      Math.min(sampling.maxNewTokens, at.maxLength - sequence.length - unknown.length),
      sampling.stopAtEos ? at.eosTokenIds : [],
      (token) => listener.onToken?.(index, token),
    );
    // Draws of one row do not depend on the others: each has a generator of its own.
    const random = new SeededRandom((sampling.seed + index) % Number.MAX_SAFE_INTEGER);
    const next =
      writer.finish === undefined
        ? await prefill(at.runtime, sequence, unknown, rest, signal, sampling.onProgress)
        : [];
    const lookup = sampling.promptLookup && new PromptLookup(prompt, sampling.promptLookup);
    running.push({ index, sequence, next, guess: [], writer, random, lookup });
  }
  try {
    await runToEnd(at.runtime, running, sampling, signal, listener);
  } finally {
    at.runtime.dropAhead();
  }
  return running.map(generationOf);
}

/** Steps until every row has ended. */
async function runToEnd(
  runtime: Runtime,
  running: readonly Running[],
  sampling: Sampling,
  signal: AbortSignal,
  listener: BatchListener,
): Promise<void> {
  let active = running;
  for (let number = 0; ; number++) {
    if (signal.aborted) for (const row of active) row.writer.end("interrupted");
    for (const row of active) {
      if (row.writer.finish !== undefined) listener.onFinished?.(row.index, generationOf(row));
    }
    active = active.filter((row) => row.writer.finish === undefined);
    if (active.length === 0) return;
    // The token after the guess is of use too, so a guess needs room for one more.
    for (const row of active) row.guess = (number > 0 && row.lookup?.guess(row.writer.room - 1)) || [];
    const chosen = await step(runtime, active, sampling, number, signal);
    if (chosen === undefined) continue;
    for (const [index, row] of active.entries()) take(row, chosen[index]);
  }
}

function generationOf({ writer, lookup }: Running): Generation {
  return { ...writer.result(), ...(lookup && { lookup: lookup.counts }) };
}

/**
 * Takes the chosen tokens up to the first that was not guessed. Each was drawn from the true distribution with the number
 * that a pass of its own would have used, so the text is what it would be without guesses.
 */
function take(row: Running, { ids, logprobs }: Chosen): void {
  let taken = 0;
  for (const [index, id] of ids.entries()) {
    row.random.next();
    row.writer.push(id, logprobs?.[index]);
    row.lookup?.push(id);
    taken++;
    if (row.writer.finish !== undefined || id !== row.guess[index]) break;
  }
  row.sequence.truncate(row.sequence.length - (ids.length - taken));
  if (row.guess.length > 0) row.lookup?.checked(row.guess.length, taken - 1);
  row.next = [ids[taken - 1]];
}

/**
 * One forward pass, number 0 with the prompts, and the chosen tokens of each row; undefined where that of the prompts was
 * interrupted.
 */
async function step(
  runtime: Runtime,
  rows: readonly Running[],
  sampling: Sampling,
  number: number,
  signal: AbortSignal,
): Promise<Chosen[] | undefined> {
  const { capture, breakEverywhere, promptLookup } = sampling;
  const inPlan = capture && !breakEverywhere && promptLookup === undefined && runtime.choosesTokens;
  if (number > 0 && inPlan) return stepInPlan(runtime, rows, sampling, number, signal);
  const logitRows = rows.some(({ guess }) => guess.length > 0) ? "all" : "last";
  const entries = rows.map(
    ({ sequence, next, guess }) => ({ sequence, ids: [...next, ...guess], logits: logitRows }) as const,
  );
  const options = { step: number, capture, breakEverywhere, ...(number === 0 && { signal }) };
  using logits = await runtime.forward(entries, options).catch((error) => {
    if (isInterrupt(error, signal)) return undefined;
    throw error;
  });
  if (logits === undefined) return undefined;
  using chosen = choose(logits, rows, sampling);
  using logprob = sampling.logprobs ? ops.gatherLogProbability(logits, chosen) : undefined;
  const [ids, logprobs] = await Promise.all([chosen.integers(), logprob?.data()]);
  let at = 0;
  return rows.map(({ guess }) => {
    const [from, to] = [at, at + 1 + guess.length];
    at = to;
    return { ids: ids.subarray(from, to), logprobs: logprobs?.subarray(from, to) };
  });
}

/** A step whose tokens are chosen inside of the plan; the next one begins while these are read. */
async function stepInPlan(
  runtime: Runtime,
  rows: readonly Running[],
  sampling: Sampling,
  number: number,
  signal: AbortSignal,
): Promise<Chosen[]> {
  const tokens = rows.map(({ sequence, next: [id], random }) => ({ sequence, id, random }));
  const goesOn = !signal.aborted && rows.every(({ writer }) => writer.room > 1);
  const { ids, logprobs } = await runtime.decode(tokens, choiceInPlan(sampling), { step: number, goesOn });
  return rows.map((_, at) => ({
    ids: ids.subarray(at, at + 1),
    logprobs: logprobs?.subarray(at, at + 1),
  }));
}

function choose(logits: Tensor, rows: readonly Running[], sampling: Sampling): Tensor {
  if (sampling.temperature === 0) return ops.argmax(logits);
  return ops.sample(
    logits,
    sampling,
    Float64Array.from(rows.flatMap(({ random, guess }) => random.ahead(1 + guess.length))),
  );
}

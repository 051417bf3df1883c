import { checkOptionNames, PersimmonError } from "../errors.js";
import { throwIfInterrupted } from "../host.js";
import { optionChecks } from "../option_checks.js";
import { fingerprint, sameFingerprint } from "./fingerprint.js";
import type { KvSequence } from "./kv_cache.js";
import { prefill } from "./prefill.js";
import type { Runtime } from "./runtime.js";

/** Keys and values of some tokens, and under what they were made. */
interface Entry {
  interventions: string;
  modules: readonly unknown[];
  ids: readonly number[];
  sequence: KvSequence;
}

/**
 * Keeps the keys and values of a few texts, so that a run that begins with the same tokens computes only its end. What is
 * kept is found again only under the very edits and modules that it was made with: a steered prefix never serves a run
 * without steering. Where a hook is in force nothing is kept, since JavaScript may do another thing each time.
 *
 * A swapped module, a replaced weight tensor and a changed `edit.scale` are noticed; numbers that are written into a weight
 * tensor in place are not (call `clear`).
 */
export class PrefixCache implements Disposable {
  readonly #runtime: Runtime;
  readonly #most: number;
  /** The one that was used last at the end. */
  #entries: Entry[] = [];
  #reused = 0;
  #computed = 0;

  /**
   * @param runtime `model.runtime`
   * @param options `sequences`: how many texts are kept; 4
   */
  constructor(runtime: Runtime, options: { sequences?: number } = {}) {
    checkOptionNames("new PrefixCache", options, ["sequences"]);
    const { sequences = 4 } = options;
    const invalid = (message: string) =>
      new PersimmonError("ARGUMENT_INVALID", `new PrefixCache: ${message}`);
    optionChecks(invalid).whole("sequences", sequences, 1);
    this.#runtime = runtime;
    this.#most = sequences;
  }

  /** Tokens that were taken over, and tokens that were computed, since the beginning. */
  get tokens(): { reused: number; computed: number } {
    return { reused: this.#reused, computed: this.#computed };
  }

  /**
   * A sequence that holds exactly `ids`: what is known of it is shared, the rest is computed and kept. No ids give an empty
   * sequence. The caller releases it.
   * @param ids token ids, as `model.encodePrompt` gives them
   * @throws PersimmonError TOKEN_ID_OUT_OF_RANGE, PROMPT_TOO_LONG, KV_CACHE_FULL, INTERRUPTED, and what a hook throws
   */
  async prefix(ids: readonly number[], signal?: AbortSignal): Promise<KvSequence> {
    try {
      return await this.#prefix(ids, signal);
    } catch (error) {
      if ((error as Partial<PersimmonError>).code !== "KV_CACHE_FULL" || this.#entries.length === 0)
        throw error;
      this.clear();
      return this.#prefix(ids, signal);
    }
  }

  /** Forgets everything and gives the pages back; the cache can be used again. */
  clear(): void {
    for (const { sequence } of this.#entries) sequence.release();
    this.#entries = [];
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  async #prefix(ids: readonly number[], signal?: AbortSignal): Promise<KvSequence> {
    const runtime = this.#runtime;
    checkIds(runtime, ids);
    if (ids.length === 0) return runtime.kv.createSequence();
    const interventions = runtime.interventions.changes("prefill");
    const modules = fingerprint(runtime.model);
    const { entry, common } = this.#longest(interventions, modules, ids);
    const sequence = entry?.sequence.fork() ?? runtime.kv.createSequence();
    try {
      sequence.truncate(common);
      const rest = await prefill(runtime, sequence, ids.slice(common), 0, signal);
      if (signal !== undefined && rest.length > 0) throwIfInterrupted(signal);
    } catch (error) {
      sequence.release();
      throw error;
    }
    this.#reused += common;
    this.#computed += ids.length - common;
    // What was set or swapped while this ran makes a prefix of two kinds.
    const isPure =
      interventions === runtime.interventions.changes("prefill") &&
      sameFingerprint(modules, fingerprint(runtime.model));
    if (interventions !== undefined && isPure) {
      this.#keep({ interventions, modules, ids: [...ids], sequence }, entry, common);
    }
    return sequence;
  }

  #longest(
    interventions: string | undefined,
    modules: readonly unknown[],
    ids: readonly number[],
  ): { entry: Entry | undefined; common: number } {
    let found: { entry: Entry | undefined; common: number } = { entry: undefined, common: 0 };
    for (const entry of this.#entries) {
      if (entry.interventions !== interventions || !sameFingerprint(entry.modules, modules)) continue;
      const common = commonLength(entry.ids, ids);
      if (common > found.common) found = { entry, common };
    }
    return found;
  }

  #keep(made: Entry, from: Entry | undefined, common: number): void {
    if (from !== undefined && common === made.ids.length && this.#entries.includes(from)) {
      this.#entries = [...this.#entries.filter((entry) => entry !== from), from];
      return;
    }
    // A text that merely goes on with a kept one takes its place.
    const replaced = from !== undefined && common === from.ids.length ? from : undefined;
    const kept = this.#entries.filter((entry) => entry !== replaced);
    replaced?.sequence.release();
    kept.push({ ...made, sequence: made.sequence.fork() });
    while (kept.length > this.#most) kept.shift()?.sequence.release();
    this.#entries = kept;
  }
}

function checkIds({ model, maxLength }: Runtime, ids: readonly number[]): void {
  const { vocabSize } = model.config;
  const index = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (index >= 0) {
    throw new PersimmonError(
      "TOKEN_ID_OUT_OF_RANGE",
      `id ${ids[index]} at index ${index} is outside the vocabulary of ${vocabSize} tokens`,
    );
  }
  if (ids.length > maxLength) {
    throw new PersimmonError(
      "PROMPT_TOO_LONG",
      `a prefix of ${ids.length} tokens is longer than the context, which holds ${maxLength}`,
    );
  }
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

import type { KvSequence } from "../../runtime/kv_cache.js";
import type { Row } from "./row.js";

/** Ids whose keys and values are in a sequence. */
export interface Known {
  ids: readonly number[];
  sequence: KvSequence;
}

/** Texts that are kept when they are finished: a few conversations. */
const mostKept = 8;

/** Tokens in common from which on it pays to take over a page: a page of the KV cache. */
const leastShared = 32;

/**
 * Keys and values of texts that were finished lately, so that the next question of a conversation, or the next example of an
 * evaluation, computes only what is new. They are given up as soon as running texts need the pages.
 */
export class Prefixes {
  /** The one that was used last at the end. */
  #kept: Known[] = [];

  /** Pages that are kept, those that are shared with running texts included. */
  get pages(): number {
    return this.#kept.reduce((sum, { sequence }) => sum + sequence.pages.length, 0);
  }

  /** Takes over the sequence of a finished text. */
  keep(ids: readonly number[], sequence: KvSequence): void {
    if (ids.length < leastShared) {
      sequence.release();
      return;
    }
    const covered = this.#kept.filter((one) => sharedLength(one.ids, ids) === one.ids.length);
    for (const one of covered) one.sequence.release();
    this.#kept = [...this.#kept.filter((one) => !covered.includes(one)), { ids, sequence }];
    if (this.#kept.length > mostKept) this.drop();
  }

  /** Gives up the one that was used longest ago; false where there is none. */
  drop(): boolean {
    const oldest = this.#kept.shift();
    oldest?.sequence.release();
    return oldest !== undefined;
  }

  /**
   * What has most in common with the beginning of a prompt, among what is kept and what is running.
   * @returns undefined where it is less than a page
   */
  find(prompt: readonly number[], running: readonly Row[]): (Known & { shared: number }) | undefined {
    let found: (Known & { shared: number }) | undefined;
    const live = running.flatMap((row) =>
      row.sequence === undefined ? [] : [{ ids: row.seen, sequence: row.sequence }],
    );
    for (const one of [...this.#kept, ...live]) {
      // The last token of the prompt has to be run for its logits.
      const shared = Math.min(sharedLength(one.ids, prompt), prompt.length - 1);
      if (shared >= leastShared && shared > (found?.shared ?? 0)) found = { ...one, shared };
    }
    const kept = this.#kept.find((one) => one.sequence === found?.sequence);
    if (kept !== undefined) this.#kept = [...this.#kept.filter((one) => one !== kept), kept];
    return found;
  }

  clear(): void {
    while (this.drop());
  }
}

/** How many tokens two texts begin with in common. */
export function sharedLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

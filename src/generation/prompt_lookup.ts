/** How far `generate` guesses ahead. */
export interface PromptLookupOptions {
  /** Most tokens that are guessed at once; 8. */
  tokens?: number;
  /** Longest run of last tokens that is looked for, from 2; 3. */
  ngram?: number;
}

/**
 * Tokens without a guess after guesses that were wrong from the first token on: 1, 3, 7, then 15. Checking 8 tokens takes
 * nearly twice as long as making one: with a wrong guess at every token, 64 tokens came at 0.54 of the plain speed, with the
 * pauses at 0.89 (bench/prompt_lookup.mjs).
 */
const longestPause = 15;

/** Shorter runs than two tokens are found nearly everywhere, and what follows them is rarely what comes next. */
const shortest = 2;

/**
 * Guesses the next tokens from the text itself: what followed the last tokens when they stood there before ("prompt
 * lookup decoding", Saxena 2023). Summaries, code and answers about a text repeat much of what they were given.
 */
export class PromptLookup {
  /** Tokens guessed so far, and how many of them were right. */
  readonly counts = { guessed: 0, right: 0 };
  readonly #ids: number[];
  readonly #tokens: number;
  readonly #ngram: number;
  /** Tokens that the last wrong guess has cost, and those of them that are left. */
  #pause = 0;
  #left = 0;

  /** @param ids the text so far */
  constructor(ids: readonly number[], { tokens, ngram }: Required<PromptLookupOptions>) {
    this.#ids = [...ids];
    this.#tokens = tokens;
    this.#ngram = ngram;
  }

  push(id: number): void {
    this.#ids.push(id);
  }

  /**
   * The tokens that may come next; empty where there is no guess, or guesses were wrong lately.
   * @param most tokens that are of use
   */
  guess(most: number): readonly number[] {
    if (this.#left > 0) {
      this.#left--;
      return [];
    }
    return this.find(most);
  }

  /** What came of a guess. */
  checked(guessed: number, right: number): void {
    this.counts.guessed += guessed;
    this.counts.right += right;
    this.#pause = right > 0 ? 0 : Math.min(2 * this.#pause + 1, longestPause);
    this.#left = this.#pause;
  }

  /** What followed the latest earlier place that has the longest run of the last tokens; empty where there is none. */
  find(most: number): readonly number[] {
    const ids = this.#ids;
    const wanted = Math.min(this.#tokens, most);
    if (wanted <= 0) return [];
    for (let run = this.#ngram; run >= shortest; run--) {
      for (let end = ids.length - 1; end >= run; end--) {
        if (this.#runsAgree(end, run)) return ids.slice(end, end + wanted);
      }
    }
    return [];
  }

  /** Whether the `run` tokens before `end` are the last tokens of the text. */
  #runsAgree(end: number, run: number): boolean {
    const ids = this.#ids;
    for (let back = 1; back <= run; back++) if (ids[end - back] !== ids[ids.length - back]) return false;
    return true;
  }
}

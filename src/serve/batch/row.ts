import { PersimmonError } from "../../errors.js";
import type { Generator } from "../../generation/generate.js";
import { SeededRandom } from "../../generation/random.js";
import type { Stop } from "../../generation/stopping.js";
import { TextWriter } from "../../generation/text_writer.js";
import type { Generation, Token } from "../../generation/token_stream.js";
import type { KvSequence } from "../../runtime/kv_cache.js";
import type { TokenScore } from "./scores.js";

/** One text to be made. */
export interface RowRequest {
  /** Ids of the prompt, one at least and no more than the context holds. */
  prompt: readonly number[];
  /** Most tokens to make; fewer where the context ends. 0 makes none, which is of use with `scorePrompt`. */
  maxNewTokens: number;
  /** 0 takes the most likely token. */
  temperature: number;
  /** 0 keeps all. */
  topK: number;
  /** 0 or 1 keeps all. */
  topP: number;
  seed: number;
  stop: readonly Stop[];
  /** Ids that end the text. */
  endIds: readonly number[];
  /** Log-probabilities of the tokens, and of how many of the most likely ones at each place; undefined for none. */
  top: number | undefined;
  /** Whether the tokens of the prompt get log-probabilities, too; needs `top`. */
  scorePrompt: boolean;
  /** Called once when the prompt has been run, with a score for each of its tokens but the first. */
  onPrompt?: ((scores: readonly TokenScore[]) => void) | undefined;
  /** Called for each token as soon as its text is certain. */
  onToken?: ((token: RowToken) => void) | undefined;
}

/** A token that was made. */
export interface RowToken extends Token {
  /** With `top`. */
  score: TokenScore | undefined;
}

export interface RowResult extends Generation {
  tokens: readonly RowToken[];
  /** With `top`: of every token that was made, the one that ended the text and those after a stop text included. */
  scores: readonly TokenScore[];
  /** With `scorePrompt`: of each token of the prompt but the first. */
  promptScores: readonly TokenScore[];
}

/** A text that is waited for or being made. */
export class Row {
  readonly random: SeededRandom;
  /** Holds the first `known` tokens of the prompt, then all of it and the tokens made but for the last. */
  sequence: KvSequence | undefined;
  /** Tokens of the prompt that the model has seen. */
  known = 0;
  /** What is wrong with this row, and no fault of its neighbours. */
  failure: PersimmonError | undefined;
  readonly done: Promise<RowResult>;
  readonly #writer: TextWriter;
  readonly #made: number[] = [];
  readonly #scores: TokenScore[] = [];
  readonly #promptScores: TokenScore[] = [];
  readonly #tokens: RowToken[] = [];
  #resolve: (result: RowResult) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** Positions that it takes when it grows as long as it may. */
  readonly most: number;

  constructor(
    at: Pick<Generator, "decodeStream" | "maxLength">,
    readonly request: RowRequest,
    readonly signal: AbortSignal,
  ) {
    const { prompt, stop, endIds } = request;
    const limit = Math.max(0, Math.min(request.maxNewTokens, at.maxLength - prompt.length));
    this.most = prompt.length + limit;
    this.random = new SeededRandom(request.seed);
    this.#writer = new TextWriter(at.decodeStream(prompt), stop, limit, endIds, (token) => this.#emit(token));
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever awaits it gets the error; without this, one that nobody awaits any more would end the process.
    this.done.catch(() => {});
  }

  get isFinished(): boolean {
    return this.#writer.finish !== undefined;
  }

  /** Tokens that may still come. */
  get room(): number {
    return this.#writer.room;
  }

  /** Whether the prompt has to be run at all. */
  get needsPass(): boolean {
    return !this.isFinished || this.request.scorePrompt;
  }

  get isPrefilled(): boolean {
    return this.known === this.request.prompt.length;
  }

  /** The token that the model has not seen yet. */
  get next(): number {
    return this.#made[this.#made.length - 1];
  }

  /** Ids whose keys and values are in the sequence. */
  get seen(): number[] {
    return [...this.request.prompt.slice(0, this.known), ...this.#made.slice(0, -1)];
  }

  addPromptScores(scores: readonly TokenScore[]): void {
    for (const score of scores) this.#promptScores.push(this.#checked(score));
  }

  promptDone(): void {
    this.request.onPrompt?.(this.#promptScores);
  }

  push(id: number, score: TokenScore | undefined): void {
    this.#made.push(id);
    if (score !== undefined) this.#scores.push(this.#checked(score));
    this.#writer.push(id, score?.logprob);
  }

  resolve(): void {
    this.#resolve({
      ...this.#writer.result(),
      tokens: this.#tokens,
      scores: this.#scores,
      promptScores: this.#promptScores,
    });
  }

  reject(error: unknown): void {
    this.#reject(error);
  }

  #checked(score: TokenScore): TokenScore {
    if (Number.isNaN(score.logprob)) {
      this.failure = new PersimmonError(
        "ACTIVATION_NOT_FINITE",
        "the model gives NaN for this text, so it has no log-probabilities",
      );
    }
    return score;
  }

  #emit(token: Token): void {
    // Tokens are handed out in the order in which they were made, without a gap.
    const made: RowToken = { ...token, score: this.#scores[this.#tokens.length] };
    this.#tokens.push(made);
    this.request.onToken?.(made);
  }
}

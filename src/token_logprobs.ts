import { logprobBundle } from "./display/logprobs.js";

/**
 * Log-probabilities of the tokens of a text, each given those before it: the n − 1 numbers of n tokens, since the first
 * has none before it.
 */
export class TokenLogprobs extends Float32Array {
  /** All ids of the text; number i of this array belongs to `ids[i + 1]`. */
  ids: readonly number[] = [];

  /** The tokens of `ids` as the tokenizer has them; without a tokenizer, the ids as text. */
  pieces: readonly string[] = [];

  /** The numbers as a plain array of the same name as in other results. */
  get data(): Float32Array {
    return new Float32Array(this.buffer, this.byteOffset, this.length);
  }

  /** Their sum: the log-probability of the text given its first token. */
  get total(): number {
    return this.reduce((sum, value) => sum + value, 0);
  }

  /** How a notebook shows it: the text, improbable tokens on a stronger background. */
  [Symbol.for("Jupyter.display")](): Record<string, unknown> {
    return logprobBundle(this.pieces, this.data);
  }

  /** `map`, `filter` and the like give plain arrays. */
  static get [Symbol.species](): Float32ArrayConstructor {
    return Float32Array;
  }
}

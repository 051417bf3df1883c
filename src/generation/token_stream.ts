import { PersimmonError } from "../errors.js";

/** One generated token. */
export interface Token {
  id: number;
  /** Its share of the text: empty while it holds only a part of a character. */
  text: string;
  /** Natural logarithm of its probability under the unmodified logits; with `logprobs: true`. */
  logprob?: number;
}

/** Why a generation ended: a stop text, an EOS token, the limit of tokens or context, or an interrupt. */
export type Finish = "stop" | "eos" | "length" | "interrupted";

export interface Generation {
  /** The generated text, without the stop text or EOS. */
  text: string;
  /** The generated ids, an EOS at the end included. */
  ids: number[];
  finish: Finish;
  /** With `promptLookup`: how many tokens were guessed, and how many of the guesses were right. */
  lookup?: { guessed: number; right: number };
}

/**
 * The tokens of a running generation. It runs whether or not anyone reads along; leaving a `for await` loop early ends
 * it, with `finish: "interrupted"`. The tokens can be read once: a second reader gets `STREAM_ALREADY_READ`.
 */
export class TokenStream implements AsyncIterable<Token> {
  /** Settles when the generation has ended; rejects with what went wrong. */
  readonly done: Promise<Generation>;
  private readonly queue: Token[] = [];
  /** Readers that wait for the next token. */
  private waiting: (() => void)[] = [];
  private ended = false;
  private isRead = false;
  private readonly controller = new AbortController();

  /** @param run makes tokens, handing each to `emit`, until it is finished or `signal` is aborted */
  constructor(run: (emit: (token: Token) => void, signal: AbortSignal) => Promise<Generation>) {
    const emit = (token: Token) => {
      this.queue.push(token);
      this.wakeAll();
    };
    this.done = run(emit, this.controller.signal).finally(() => {
      this.ended = true;
      this.wakeAll();
    });
    // Whoever iterates gets the error there; without this, `done` that nobody awaits would end the process.
    this.done.catch(() => {});
  }

  /** Ends the generation after the token under way. */
  cancel(): void {
    this.controller.abort();
  }

  /** How Node prints it: reading tokens for that would take them from who wants them. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    const state = this.ended ? "ended" : "running";
    return `TokenStream, ${state}, ${this.queue.length} tokens to read; for await reads them, await stream.done gives the text`;
  }

  private wakeAll(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Token, void, undefined> {
    if (this.isRead) {
      throw new PersimmonError(
        "STREAM_ALREADY_READ",
        "the tokens of a stream can be read once, by one reader: `await stream.done` has the text and the ids of all of them",
      );
    }
    this.isRead = true;
    try {
      while (true) {
        const token = this.queue.shift();
        if (token !== undefined) {
          yield token;
        } else if (this.ended) {
          await this.done;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.waiting.push(resolve);
          });
        }
      }
    } finally {
      this.cancel();
    }
  }
}

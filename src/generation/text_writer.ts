import { type Stop, StopTexts } from "./stopping.js";
import type { Finish, Generation, Token } from "./token_stream.js";

/** Turns ids into text as they come, never half a character. */
export interface TextDecoderStream {
  push(id: number): string;
  /** What is left, with U+FFFD for what never became a character. */
  end(): string;
  /** Of a model without a tokenizer, whose tokens have no text: none of them waits for the rest of a character. */
  readonly hasNoText?: boolean;
}

/** Turns the ids of one generation into tokens with text, and says when it is finished. */
export class TextWriter {
  finish: Finish | undefined;
  private readonly ids: number[] = [];
  private readonly decoder: TextDecoderStream;
  private readonly stops: StopTexts;
  private text = "";
  /** Tokens that wait until their text cannot be part of a stop text, with where their text ends. */
  private held: { token: Token; end: number }[] = [];
  private emitted = 0;
  private readonly limit: number;
  private readonly endIds: readonly number[];
  private readonly emit: (token: Token) => void;

  /**
   * @param limit most tokens that may come
   * @param endIds ids that end the generation and have no text
   */
  constructor(
    decoder: TextDecoderStream,
    stop: readonly Stop[],
    limit: number,
    endIds: readonly number[],
    emit: (token: Token) => void,
  ) {
    this.decoder = decoder;
    this.stops = new StopTexts(stop);
    this.limit = limit;
    this.endIds = endIds;
    this.emit = emit;
    if (limit <= 0) this.finish = "length";
  }

  /** Tokens that may still come. */
  get room(): number {
    return Math.max(0, this.limit - this.ids.length);
  }

  push(id: number, logprob: number | undefined): void {
    this.ids.push(id);
    const isEos = this.endIds.includes(id);
    const isLast = isEos || this.ids.length >= this.limit;
    let text = isEos ? "" : this.decoder.push(id);
    // What never became a character belongs to the last token: a stop text may end in it.
    if (isLast) text += this.decoder.end();
    this.write({ id, text, ...(logprob !== undefined && { logprob }) });
    if (isLast) this.end(isEos ? "eos" : "length");
  }

  /** Ends the text where it is; an unfinished character of an interrupted one is left out. */
  end(finish: Finish): void {
    if (this.finish !== undefined) return;
    this.finish = finish;
    this.release(this.text.length);
  }

  result(): Generation {
    return { text: this.text, ids: this.ids, finish: this.finish ?? "interrupted" };
  }

  private write(token: Token): void {
    this.text += token.text;
    this.held.push({ token, end: this.text.length });
    const { end, safe } = this.stops.push(token.text);
    if (end === undefined) {
      this.release(safe);
      return;
    }
    this.text = this.text.slice(0, end);
    this.finish = "stop";
    this.release(end);
  }

  /** Hands out the tokens whose text lies before `safe`; at a stop text the last one is cut there. */
  private release(safe: number): void {
    // Tokens of an unfinished character wait for its end, so that the texts of all tokens make up the whole text.
    const isDone = this.finish !== undefined || this.decoder.hasNoText === true;
    while (isDone ? this.held.length > 0 : this.held.some(({ token }) => token.text !== "")) {
      const { token, end } = this.held[0];
      const stopped = this.finish === "stop";
      if (end > safe && !(stopped && this.emitted < safe)) break;
      this.held.shift();
      const begin = end - token.text.length;
      if (end > safe) token.text = token.text.slice(0, safe - begin);
      this.emitted = Math.min(end, safe);
      this.emit(token);
    }
  }
}

import type { Tokenizer } from "../tokenizer/index.js";

/** The tokens of a prompt. */
export interface PromptTokens {
  ids: readonly number[];
  /** How many of them were put in front of the text and are no part of it: 1 where there is a BOS token. */
  begin: number;
}

/** Tokens as OpenAI's log-probabilities name them: the text of a piece, or its byte. */
export class TokenNames {
  readonly #tokenizer: Tokenizer;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Such as " the", "bytes:\xe2" for a part of a character, "|ENDOFTEXT|" for a token without text. */
  nameOf(id: number): string {
    // Padding rows of an embedding are no pieces.
    if (id >= this.#tokenizer.vocabSize) return `id:${id}`;
    const piece = this.#tokenizer.pieceOf(id);
    const byte = byteOf(piece);
    if (byte === undefined) return piece.replaceAll("▁", " ");
    return byte < 0x80 ? String.fromCharCode(byte) : `bytes:\\x${byte.toString(16).padStart(2, "0")}`;
  }

  /** UTF-8 of a token; null for one without text. */
  bytesOf(id: number): number[] | null {
    if (id >= this.#tokenizer.vocabSize) return null;
    const byte = byteOf(this.#tokenizer.pieceOf(id));
    if (byte !== undefined) return [byte];
    return this.#tokenizer.decode([id]) === "" && !this.nameOf(id).startsWith(" ")
      ? null
      : [...Buffer.from(this.nameOf(id), "utf8")];
  }

  /** The text of ids; those that are no pieces have none. */
  textOf(ids: readonly number[]): string {
    return this.#tokenizer.decode(this.#pieces(ids));
  }

  /**
   * The text of a prompt as far as it is certain (a character that it only begins belongs to what follows), and where each
   * token begins in it, in Unicode characters.
   */
  promptText({ ids, begin }: PromptTokens): { text: string; offsets: number[] } {
    const stream = this.#tokenizer.decodeStream();
    let text = "";
    let length = 0;
    const offsets = ids.map((id, index) => {
      const offset = length;
      const isPart = index >= begin && id < this.#tokenizer.vocabSize;
      const part = isPart ? stream.push(id) : "";
      text += part;
      length += charactersIn(part);
      return offset;
    });
    return { text, offsets };
  }

  #pieces(ids: readonly number[]): number[] {
    return ids.filter((id) => id < this.#tokenizer.vocabSize);
  }
}

/** Unicode characters of a text, as clients in other languages count them. */
export function charactersIn(text: string): number {
  return [...text].length;
}

/** The byte that a piece of byte fallback stands for. */
function byteOf(piece: string): number | undefined {
  const digits = /^<0x([0-9A-F]{2})>$/.exec(piece)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

import { PieceType, SPACE_SYMBOL, type TokenizerSpecification } from "./specification.js";
import { INCOMPLETE, INVALID, inspectCharacter } from "./utf8.js";
import type { Vocabulary } from "./vocabulary.js";

const REPLACEMENT = "\ufffd";

/** What decoding needs besides the state of one sequence; shared by all the streams of a tokenizer. */
export class DecoderTables {
  /** ▁ at the start of the text is dropped: the normaliser put it there. */
  readonly dropsFirstSpace: boolean;
  /** All spaces at the start of the text are dropped, not just the dummy one. */
  readonly dropsAllFirstSpaces: boolean;
  readonly unknownSurface: string;
  /** Decoded text of normal pieces, made on first use. */
  private readonly texts: (string | undefined)[] = [];

  constructor(
    readonly vocabulary: Vocabulary,
    specification: TokenizerSpecification,
  ) {
    const { addDummyPrefix, removeExtraWhitespaces } = specification.normalizer;
    this.dropsFirstSpace = addDummyPrefix || removeExtraWhitespaces;
    this.dropsAllFirstSpaces = removeExtraWhitespaces;
    this.unknownSurface = specification.unknownSurface;
  }

  /** Text of a piece with ▁ as spaces. */
  textOf(id: number): string {
    let text = this.texts[id];
    if (text === undefined) {
      text = this.vocabulary.pieceOf(id).replaceAll(SPACE_SYMBOL, " ");
      this.texts[id] = text;
    }
    return text;
  }
}

/**
 * Decodes one sequence, an id at a time, exactly as SentencePiece decodes the whole. `push` returns the text
 * that the id settles; bytes that could still become a character are held back.
 *
 * SentencePiece's rules: control pieces are invisible; an unknown piece is its surface (" ⁇ "); a run of byte
 * pieces is UTF-8 in which every byte that belongs to no valid character is one U+FFFD; the ▁ of the first
 * piece is dropped while there is no text yet.
 */
export class IncrementalDecoder {
  private readonly pending: number[] = [];
  private atStart = true;
  private droppedSpace = false;
  private hasText = false;

  constructor(private readonly tables: DecoderTables) {}

  /** Takes the next id, which must be in range, and returns the text that is now certain. */
  push(id: number): string {
    const { vocabulary } = this.tables;
    if (vocabulary.types[id] === PieceType.byte) {
      this.pending.push(vocabulary.byteOf(id));
      return this.emit(this.takeBytes(false));
    }
    let text = this.emit(this.takeBytes(true));
    if (this.droppedSpace || this.hasText) this.atStart = false;
    text += this.emit(this.textOf(id));
    return text;
  }

  /** Ends the sequence: bytes that never became a character are U+FFFD, one each. */
  end(): string {
    return this.emit(this.takeBytes(true));
  }

  private emit(text: string): string {
    if (text.length > 0) this.hasText = true;
    return text;
  }

  private textOf(id: number): string {
    const { tables } = this;
    this.droppedSpace = false;
    const type = tables.vocabulary.types[id]!;
    if (type === PieceType.control) return "";
    if (type === PieceType.unknown) return tables.unknownSurface;
    const text = tables.textOf(id);
    // A piece can hold a plain space as well as a ▁ where spaces are not escaped; only the ▁ is dropped.
    if (!this.atStart || !tables.dropsFirstSpace || !tables.vocabulary.pieceOf(id).startsWith(SPACE_SYMBOL))
      return text;
    this.droppedSpace = !tables.dropsAllFirstSpaces;
    return text.slice(1);
  }

  /** Takes the settled part of the pending bytes as text; all of it when nothing can follow. */
  private takeBytes(final: boolean): string {
    const { pending } = this;
    if (pending.length === 0) return "";
    let text = "";
    let start = 0;
    while (start < pending.length) {
      const length = inspectCharacter(pending, start, pending.length);
      if (length === INCOMPLETE && !final) break;
      if (length === INCOMPLETE || length === INVALID) {
        text += REPLACEMENT;
        start++;
      } else {
        text += utf8.decode(Uint8Array.from(pending.slice(start, start + length)));
        start += length;
      }
    }
    pending.splice(0, start);
    return text;
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

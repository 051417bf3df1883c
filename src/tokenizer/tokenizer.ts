import { checkOptionNames, PersimmonError } from "../errors.js";
import { optionChecks } from "../option_checks.js";
import { DecoderTables, IncrementalDecoder } from "./decoder.js";
import { END_OF_TEXT_PIECE } from "./hugging_face_json.js";
import { Normalizer } from "./normalizer.js";
import { Segmenter } from "./segmenter.js";
import { PieceType, type TokenizerSpecification } from "./specification.js";
import { Vocabulary } from "./vocabulary.js";

/** Choices that lie outside the tokenizer file, in `tokenizer_config.json` or with the caller. */
export interface TokenizerOptions {
  /** Piece that starts a sequence; default `|ENDOFTEXT|` where there is one, else what the file names. */
  bosPiece?: string | undefined;
  /**
   * Whether sequences start with that piece by default; default true. Read by callers through `addBos`, never
   * by `encode`.
   */
  addBos?: boolean | undefined;
}

/** Decodes a sequence while it is being made; see `Tokenizer.decodeStream`. */
export interface DecodeStream {
  /**
   * Takes the next id and returns the text that is now certain: "" while a character is incomplete.
   *
   * @throws PersimmonError `TOKEN_ID_OUT_OF_RANGE`
   */
  push(id: number): string;
  /** Ends the sequence and returns what is left: one U+FFFD for each byte that never became a character. */
  end(): string;
}

/**
 * SentencePiece unigram tokenizer with byte fallback, the one of Persimmon-8B. Ids and text are those of
 * SentencePiece itself.
 *
 * ```ts
 * const tokenizer = await loadTokenizer(directory);
 * const ids = tokenizer.encode("human: Hello\n\nadept:", { bos: tokenizer.addBos });
 * tokenizer.decode(ids);
 * ```
 */
export class Tokenizer {
  /** Number of pieces; ids run from 0 to `vocabSize - 1`. */
  readonly vocabSize: number;
  /** Id that `encode(text, { bos: true })` puts first; undefined when the vocabulary has no such piece. */
  readonly bosId: number | undefined;
  /**
   * Id that ends a text: `|ENDOFTEXT|`, else the end piece that the file names (Adept's rule), else
   * undefined.
   */
  readonly endOfTextId: number | undefined;
  /**
   * Whether the model expects sequences to start with `bosId` (`add_bos_token` of tokenizer_config.json;
   * default true).
   */
  readonly addBos: boolean;

  private readonly vocabulary: Vocabulary;
  private readonly normalizer: Normalizer;
  private readonly segmenter: Segmenter;
  private readonly decoder: DecoderTables;

  /**
   * @param specification a tokenizer file that was read; `loadTokenizer` does both
   * @throws PersimmonError `TOKENIZER_CORRUPT` when it contradicts itself, `TOKENIZER_CONFIG` when
   *   `bosPiece` is not in the vocabulary
   */
  constructor(specification: TokenizerSpecification, options: TokenizerOptions = {}) {
    this.vocabulary = new Vocabulary(specification);
    this.normalizer = new Normalizer(
      specification.normalizer,
      this.vocabulary.userDefined,
      specification.source,
    );
    this.segmenter = new Segmenter(this.vocabulary);
    this.decoder = new DecoderTables(this.vocabulary, specification);
    this.vocabSize = this.vocabulary.size;
    this.addBos = options.addBos ?? true;
    const endOfText = this.idOf(END_OF_TEXT_PIECE);
    this.endOfTextId = endOfText ?? this.idOf(specification.eosPiece);
    this.bosId = endOfText ?? this.idOf(specification.bosPiece);
    if (options.bosPiece !== undefined) {
      this.bosId = this.idOf(options.bosPiece);
      if (this.bosId === undefined) {
        throw new PersimmonError(
          "TOKENIZER_CONFIG",
          `bos_token is ${JSON.stringify(options.bosPiece)}, which is none of the ${this.vocabSize} pieces of ` +
            `${specification.source}; expected one of them, such as ${END_OF_TEXT_PIECE}.`,
        );
      }
    }
  }

  /** How Node prints it: not the vocabulary. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Tokenizer of ${this.vocabSize} pieces, bosId ${this.bosId}, endOfTextId ${this.endOfTextId}`;
  }

  /**
   * Cuts text into pieces. Lone surrogates, which UTF-8 cannot hold, count as U+FFFD. Text that spells a
   * control piece (`<s>`) is only text; user-defined pieces match.
   *
   * @param options.bos put `bosId` first; default false
   * @returns ids, none for the empty text
   * @throws PersimmonError `INVALID_ARGUMENT` for what is not a string, `OPTION_UNKNOWN`, `TOKENIZER_NO_BOS` when `bos` is
   *   asked for and there is none
   */
  encode(text: string, options: { bos?: boolean | undefined } = {}): number[] {
    if (typeof text !== "string") {
      throw new PersimmonError("INVALID_ARGUMENT", `encode: expected a string, found ${kindOf(text)}.`);
    }
    checkOptionNames("encode", options, ["bos"]);
    const { flag } = optionChecks((message) => new PersimmonError("INVALID_ARGUMENT", message));
    if (options.bos !== undefined) flag("encode: bos", options.bos);
    const ids: number[] = [];
    if (options.bos) {
      if (this.bosId === undefined) {
        throw new PersimmonError(
          "TOKENIZER_NO_BOS",
          `encode: bos was asked for, but the vocabulary has no ${END_OF_TEXT_PIECE} and no start piece. Leave bos out.`,
        );
      }
      ids.push(this.bosId);
    }
    this.segmenter.segment(this.normalizer.normalize(text), ids);
    return ids;
  }

  /**
   * Text of a sequence of ids. Control pieces are invisible, an unknown piece is " ⁇ ", every byte of a run
   * of byte pieces that belongs to no character is one U+FFFD, and the ▁ in front of the whole is dropped.
   *
   * To decode the continuation of a prompt use `decodeStream({ after: promptIds })`: decoded alone, it would
   * lose its first space.
   *
   * @throws PersimmonError `TOKEN_ID_OUT_OF_RANGE` naming the id, its index and the size of the vocabulary
   */
  decode(ids: Iterable<number>): string {
    const decoder = new IncrementalDecoder(this.decoder);
    const parts: string[] = [];
    let index = 0;
    for (const id of this.iterate(ids, "decode")) {
      this.check(id, index++, "decode");
      parts.push(decoder.push(id));
    }
    parts.push(decoder.end());
    return parts.join("");
  }

  /**
   * Decodes ids one by one. The pieces of text, joined, are exactly `decode` of all the ids, and none ends
   * inside a character.
   *
   * @param options.after ids that come before, usually the prompt's: the stream then yields only what
   *   follows them, with the leading space that `decode(prompt + generated)` has between the two. A character
   *   that the prompt begins and the stream completes belongs to the stream.
   * @throws PersimmonError `TOKEN_ID_OUT_OF_RANGE`
   */
  decodeStream(options: { after?: Iterable<number> | undefined } = {}): DecodeStream {
    checkOptionNames("decodeStream", options, ["after"]);
    const decoder = new IncrementalDecoder(this.decoder);
    let index = 0;
    for (const id of this.iterate(options.after ?? [], "decodeStream")) {
      this.check(id, index++, "decodeStream, option after");
      decoder.push(id);
    }
    index = 0;
    return {
      push: (id) => {
        this.check(id, index++, "decodeStream");
        return decoder.push(id);
      },
      end: () => decoder.end(),
    };
  }

  /**
   * Text of a piece as the vocabulary has it, spaces as ▁.
   *
   * @throws PersimmonError `TOKEN_ID_OUT_OF_RANGE`
   */
  pieceOf(id: number): string {
    this.check(id, undefined, "pieceOf");
    return this.vocabulary.pieceOf(id);
  }

  /** Whether `encode` may make this id of a text: it never makes control pieces and unused ones. */
  canProduce(id: number): boolean {
    this.check(id, undefined, "canProduce");
    const type = this.vocabulary.types[id];
    return type !== PieceType.control && type !== PieceType.unused;
  }

  /** Id of a piece, written with ▁ for spaces; undefined when the vocabulary lacks it. */
  idOf(piece: string): number | undefined {
    if (typeof piece !== "string") {
      throw new PersimmonError("INVALID_ARGUMENT", `idOf: expected a string, found ${kindOf(piece)}.`);
    }
    return this.vocabulary.idOf(piece);
  }

  private check(id: number, index: number | undefined, where: string): void {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabSize) return;
    const found = typeof id === "number" ? `${id}` : kindOf(id);
    const at = index === undefined ? "" : ` at index ${index}`;
    throw new PersimmonError(
      "TOKEN_ID_OUT_OF_RANGE",
      `${where}: token id ${found}${at} is outside the vocabulary; expected an integer from 0 to ${this.vocabSize - 1} ` +
        `(vocabulary size ${this.vocabSize}).`,
    );
  }

  private iterate(ids: Iterable<number>, where: string): Iterable<number> {
    if (typeof ids !== "string" && typeof ids?.[Symbol.iterator] === "function") return ids;
    throw new PersimmonError(
      "INVALID_ARGUMENT",
      `${where}: expected a list of token ids, found ${kindOf(ids)}.`,
    );
  }
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}

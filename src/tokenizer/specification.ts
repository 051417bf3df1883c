/** What a piece is for; the numbers are those of SentencePiece's own file format. */
export const PieceType = {
  /** Learnt from text; matches text with its own score. */
  normal: 1,
  /** Stands for what the vocabulary lacks; exactly one of them. */
  unknown: 2,
  /** A mark for the model (`<s>`): never matches text, decodes to nothing. */
  control: 3,
  /** Matches text before anything else and keeps it in one piece. */
  userDefined: 4,
  /** In the table but never chosen. */
  unused: 5,
  /** One byte, `<0x00>` to `<0xFF>`: spells what no piece covers. */
  byte: 6,
} as const;

/** The pieces of a vocabulary as flat arrays: no object per piece, because Persimmon-8B has 262,144. */
export interface PieceTable {
  /** UTF-8 of all pieces; piece `id` is `bytes[starts[id]]` up to `ends[id]`. */
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Log-probability of each piece, float32 as in the file. */
  readonly scores: Float32Array;
  /** One of `PieceType` for each piece. */
  readonly types: Uint8Array;
}

/** How text is rewritten before it is cut into pieces (SentencePiece's NormalizerSpec). */
export interface NormalizerSpecification {
  /** Put ▁ in front of the text, so that its first word looks like any other word. */
  readonly addDummyPrefix: boolean;
  /** Drop leading and trailing spaces and keep one of several. */
  readonly removeExtraWhitespaces: boolean;
  /** Write spaces as ▁ (U+2581). */
  readonly escapeWhitespaces: boolean;
  /** Put the dummy ▁ at the end of the text instead. */
  readonly whitespaceAsSuffix: boolean;
  /** Compiled replacement rules (`nmt_nfkc`, say); empty for identity. */
  readonly charsmap: Uint8Array;
}

/** Everything that a tokenizer file says, whichever of the two formats it had. */
export interface TokenizerSpecification {
  /** Name of the file, for error messages. */
  readonly source: string;
  readonly pieces: PieceTable;
  readonly normalizer: NormalizerSpecification;
  /** Spell characters that no piece covers as bytes. */
  readonly byteFallback: boolean;
  /** What an unknown piece decodes to. */
  readonly unknownSurface: string;
  /** Piece that starts a sequence, by the file's own account. */
  readonly bosPiece: string;
  /** Piece that ends a sequence, by the file's own account. */
  readonly eosPiece: string;
}

/** SentencePiece's sign for a space, ▁ (U+2581). */
export const SPACE_SYMBOL = "\u2581";

/** What SentencePiece prints for an unknown piece when the file does not say: " ⁇ ". */
export const DEFAULT_UNKNOWN_SURFACE = " \u2047 ";

import { Charsmap, type CharsmapMatch } from "./charsmap.js";
import { NO_NODE, NO_PIECE, PieceTrie } from "./piece_trie.js";
import type { NormalizerSpecification } from "./specification.js";
import { characterBytes } from "./utf8.js";

const SPACE = 0x20;
/** UTF-8 of ▁ (U+2581). */
const SYMBOL = [0xe2, 0x96, 0x81] as const;

/**
 * Rewrites text as SentencePiece does before it looks for pieces (`Normalizer::Normalize` in its sources):
 * replacement rules, the dummy ▁, extra spaces, and ▁ for each space. User-defined pieces pass the
 * replacement rules unchanged.
 */
export class Normalizer {
  private readonly charsmap: Charsmap | undefined;
  private readonly match: CharsmapMatch = { length: 0, start: 0, end: 0 };

  /**
   * @param specification what the file says
   * @param userDefined trie of the user-defined pieces
   * @param source name of the file for error messages
   */
  constructor(
    private readonly specification: NormalizerSpecification,
    private readonly userDefined: PieceTrie | undefined,
    source: string,
  ) {
    if (specification.charsmap.length > 0) this.charsmap = new Charsmap(specification.charsmap, source);
  }

  /**
   * UTF-8 of the text that pieces are matched against. Lone surrogates become U+FFFD; the empty text stays
   * empty.
   */
  normalize(text: string): Uint8Array {
    const input = encoder.encode(text);
    if (input.length === 0) return input;
    const { addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces, whitespaceAsSuffix } =
      this.specification;
    const output = new ByteBuffer(input.length + (input.length >> 1) + 16);
    const space = () =>
      escapeWhitespaces ? output.push3(SYMBOL[0], SYMBOL[1], SYMBOL[2]) : output.push(SPACE);
    const unit: Unit = { bytes: input, start: 0, end: 0, consumed: 0 };

    let position = 0;
    if (removeExtraWhitespaces) {
      for (; position < input.length; position += unit.consumed) {
        this.unitAt(input, position, unit);
        if (unit.end - unit.start !== 1 || unit.bytes[unit.start] !== SPACE) break;
      }
      if (position === input.length) return new Uint8Array(0);
    }
    if (addDummyPrefix && !whitespaceAsSuffix) space();

    let afterSpace = removeExtraWhitespaces;
    while (position < input.length) {
      this.unitAt(input, position, unit);
      position += unit.consumed;
      const { bytes, end } = unit;
      let start = unit.start;
      if (afterSpace) while (start < end && bytes[start] === SPACE) start++;
      if (start === end) continue;
      for (let at = start; at < end; at++) {
        const byte = bytes[at]!;
        if (byte === SPACE) space();
        else output.push(byte);
      }
      afterSpace = removeExtraWhitespaces && bytes[end - 1] === SPACE;
    }

    if (removeExtraWhitespaces) {
      const trailing = escapeWhitespaces ? SYMBOL : [SPACE];
      while (output.endsWith(trailing)) output.length -= trailing.length;
    }
    if (addDummyPrefix && whitespaceAsSuffix) space();
    return output.view();
  }

  /**
   * Finds what the text at a position becomes: a user-defined piece or a character as it is, or a rule's
   * replacement.
   */
  private unitAt(input: Uint8Array, position: number, unit: Unit): void {
    const symbol = this.userDefined === undefined ? 0 : longestPiece(this.userDefined, input, position);
    if (symbol === 0 && this.charsmap !== undefined) {
      this.charsmap.match(input, position, this.match);
      if (this.match.length > 0) {
        unit.bytes = this.charsmap.replacements;
        unit.start = this.match.start;
        unit.end = this.match.end;
        unit.consumed = this.match.length;
        return;
      }
    }
    // The input is valid UTF-8: TextEncoder wrote it.
    unit.bytes = input;
    unit.start = position;
    unit.consumed = symbol > 0 ? symbol : characterBytes(input[position]!);
    unit.end = position + unit.consumed;
  }
}

/** A stretch of text and the bytes that stand for it. */
interface Unit {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Bytes of input that it covers. */
  consumed: number;
}

/** Length of the longest piece at a position; 0 when there is none. */
function longestPiece(trie: PieceTrie, text: Uint8Array, position: number): number {
  let length = 0;
  let node: number = PieceTrie.root;
  for (let at = position; at < text.length; at++) {
    node = trie.child(node, text[at]!);
    if (node === NO_NODE) break;
    if (trie.values[node] !== NO_PIECE) length = at - position + 1;
  }
  return length;
}

/** Bytes that grow. */
class ByteBuffer {
  length = 0;

  private data: Uint8Array;

  constructor(capacity: number) {
    this.data = new Uint8Array(capacity);
  }

  push(byte: number): void {
    if (this.length === this.data.length) this.grow();
    this.data[this.length++] = byte;
  }

  push3(first: number, second: number, third: number): void {
    this.push(first);
    this.push(second);
    this.push(third);
  }

  endsWith(bytes: readonly number[]): boolean {
    const start = this.length - bytes.length;
    return start >= 0 && bytes.every((byte, index) => this.data[start + index] === byte);
  }

  view(): Uint8Array {
    return this.data.subarray(0, this.length);
  }

  private grow(): void {
    const data = new Uint8Array(this.data.length * 2);
    data.set(this.data);
    this.data = data;
  }
}

const encoder = new TextEncoder();

import { NO_NODE, NO_PIECE, PieceTrie } from "./piece_trie.js";
import { PieceType } from "./specification.js";
import { characterBytes } from "./utf8.js";
import type { Vocabulary } from "./vocabulary.js";

/** What an unknown character costs more than the worst piece (SentencePiece's kUnkPenalty). */
const UNKNOWN_PENALTY = 10;
/** Scratch arrays above this many positions are given back after use: 12 bytes a position. */
const KEPT_POSITIONS = 1 << 18;
/**
 * Score of a user-defined piece for each byte after its first, whatever the file says: positive, so that it
 * beats every way to spell the same text. Measured on sentencepiece 0.2.2 (models made so that two paths tie
 * at a known sum, lengths 1 to 250).
 */
const USER_DEFINED_SCORE = 0.1;

/**
 * Cuts normalised text into the pieces with the largest sum of scores: the unigram Viterbi search of
 * SentencePiece's `EncodeOptimized`.
 *
 * One pass from left to right, one start per character, every piece that matches there; per end position only
 * the best way to reach it is kept. Time is linear in the text (each start looks at most as far as the
 * longest piece), memory 12 bytes a byte of text.
 *
 * The arithmetic is SentencePiece's to the bit, because equal sums are common in repeated characters: sums
 * are rounded to float32, and of two equal ones the earlier start wins. (Hugging Face sums in float64 and
 * cuts 1-2 % of code snippets differently.)
 */
export class Segmenter {
  private readonly scores: Float64Array;
  private readonly unknownScore: number;
  private best = new Float32Array(0);
  private startOf = new Int32Array(0);
  private pieceAt = new Int32Array(0);

  constructor(private readonly vocabulary: Vocabulary) {
    let smallest = Number.POSITIVE_INFINITY;
    for (let id = 0; id < vocabulary.size; id++) {
      if (vocabulary.types[id] !== PieceType.normal) continue;
      const score = vocabulary.scores[id]!;
      if (score < smallest) smallest = score;
    }
    this.unknownScore = Math.fround((Number.isFinite(smallest) ? smallest : 0) - UNKNOWN_PENALTY);
    this.scores = Float64Array.from(vocabulary.scores);
    for (let id = 0; id < vocabulary.size; id++) {
      if (vocabulary.types[id] !== PieceType.userDefined) continue;
      this.scores[id] = Math.fround((vocabulary.lengthOf(id) - 1) * USER_DEFINED_SCORE);
    }
  }

  /** Appends the ids of the pieces that normalised UTF-8 text is cut into. */
  segment(text: Uint8Array, ids: number[]): void {
    const size = text.length;
    if (size === 0) return;
    if (this.best.length <= size) {
      this.best = new Float32Array(size + 1);
      this.startOf = new Int32Array(size + 1);
      this.pieceAt = new Int32Array(size + 1);
    }
    this.forward(text);
    this.backtrack(text, ids);
    if (this.best.length > KEPT_POSITIONS) {
      this.best = new Float32Array(0);
      this.startOf = new Int32Array(0);
      this.pieceAt = new Int32Array(0);
    }
  }

  private forward(text: Uint8Array): void {
    const { best, startOf, pieceAt, scores, unknownScore } = this;
    const { trie, types, unknownId } = this.vocabulary;
    const { values } = trie;
    const size = text.length;
    startOf.fill(-1, 0, size + 1);
    best[0] = 0;
    let next = 0;
    for (let start = 0; start < size; start = next) {
      const reached = best[start]!;
      next = Math.min(size, start + characterBytes(text[start]!));
      let covered = false;
      let node: number = PieceTrie.root;
      for (let at = start; at < size; ) {
        node = trie.child(node, text[at]!);
        if (node === NO_NODE) break;
        at++;
        const id = values[node]!;
        if (id === NO_PIECE || types[id] === PieceType.unused) continue;
        const candidate = Math.fround(reached + scores[id]!);
        if (startOf[at] === -1 || candidate > best[at]!) {
          best[at] = candidate;
          startOf[at] = start;
          pieceAt[at] = id;
        }
        if (at === next) covered = true;
      }
      if (!covered) {
        const candidate = Math.fround(reached + unknownScore);
        if (startOf[next] === -1 || candidate > best[next]!) {
          best[next] = candidate;
          startOf[next] = start;
          pieceAt[next] = unknownId;
        }
      }
    }
  }

  private backtrack(text: Uint8Array, ids: number[]): void {
    const { startOf, pieceAt } = this;
    const { byteIds, unknownId } = this.vocabulary;
    const from = ids.length;
    for (let end = text.length; end > 0; end = startOf[end]!) {
      const id = pieceAt[end]!;
      if (id !== unknownId) ids.push(id);
      else if (byteIds !== undefined) {
        for (let at = end - 1; at >= startOf[end]!; at--) ids.push(byteIds[text[at]!]!);
      } else if (ids.length === from || ids[ids.length - 1] !== unknownId) {
        // Without byte fallback a run of unknown characters is one unknown piece.
        ids.push(unknownId);
      }
    }
    reverse(ids, from);
  }
}

/** Reverses the part of an array from `start` on. */
function reverse(values: number[], start: number): void {
  for (let low = start, high = values.length - 1; low < high; low++, high--) {
    const value = values[low]!;
    values[low] = values[high]!;
    values[high] = value;
  }
}

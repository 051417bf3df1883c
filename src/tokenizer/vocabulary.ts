import { isUtf8 } from "node:buffer";
import { PersimmonError } from "../errors.js";
import { NO_PIECE, PieceTrie } from "./piece_trie.js";
import { PieceType, type TokenizerSpecification } from "./specification.js";

/**
 * Longest piece accepted, in bytes. SentencePiece trains pieces of 16 characters; a longer one than this is
 * damage or an attack.
 */
const MAX_PIECE_BYTES = 4096;

/**
 * The pieces of a tokenizer: text, score and type by id, and id by text. Text becomes a JavaScript string
 * only when somebody asks, because 262,144 strings would take longer to make than the rest of loading.
 */
export class Vocabulary {
  readonly size: number;
  readonly scores: Float32Array;
  readonly types: Uint8Array;
  /** Every piece that can match text: normal, user-defined and unused ones. */
  readonly trie: PieceTrie;
  /** User-defined pieces alone, which the normaliser passes over; undefined when there is none. */
  readonly userDefined: PieceTrie | undefined;
  /** Id of the one unknown piece. */
  readonly unknownId: number;
  /** Ids of `<0x00>` to `<0xFF>`; undefined without byte fallback. */
  readonly byteIds: Int32Array | undefined;
  /** Byte that a byte piece stands for, by id; only meaningful where the type says byte. */
  private readonly byteValues = new Map<number, number>();
  /** Pieces that never match text (unknown, control, byte) by their text. */
  private readonly reserved = new Map<string, number>();
  private readonly bytes: Uint8Array;
  private readonly starts: Uint32Array;
  private readonly ends: Uint32Array;

  /** @throws PersimmonError `TOKENIZER_CORRUPT` when the pieces contradict each other */
  constructor(specification: TokenizerSpecification) {
    const { pieces, source, byteFallback } = specification;
    this.size = pieces.types.length;
    this.bytes = pieces.bytes;
    this.starts = pieces.starts;
    this.ends = pieces.ends;
    this.scores = pieces.scores;
    this.types = pieces.types;

    const fail = (message: string) => new PersimmonError("TOKENIZER_CORRUPT", `${source}: ${message}`);
    let total = 0;
    let userDefinedBytes = 0;
    for (let id = 0; id < this.size; id++) {
      const length = this.ends[id]! - this.starts[id]!;
      if (length > MAX_PIECE_BYTES) {
        throw fail(`piece ${id} is ${length} bytes long; expected at most ${MAX_PIECE_BYTES}.`);
      }
      total += length;
      if (this.types[id] === PieceType.userDefined) userDefinedBytes += length;
    }
    if (total + 1 > PieceTrie.maxNodes) {
      throw fail(`its pieces hold ${total} bytes of text; expected fewer than ${PieceTrie.maxNodes}.`);
    }
    this.trie = new PieceTrie(total + 1);
    this.userDefined = userDefinedBytes > 0 ? new PieceTrie(userDefinedBytes + 1) : undefined;

    let unknownId = -1;
    const byteIds = new Int32Array(256).fill(-1);
    for (let id = 0; id < this.size; id++) {
      const start = this.starts[id]!;
      const end = this.ends[id]!;
      const type = this.types[id]!;
      if (!isUtf8(this.bytes.subarray(start, end))) {
        throw fail(`piece ${id} is not UTF-8 text (bytes ${start} to ${end}).`);
      }
      let before: number | undefined;
      if (type === PieceType.normal || type === PieceType.userDefined || type === PieceType.unused) {
        before = this.trie.add(this.bytes, start, end, id);
        if (type === PieceType.userDefined) this.userDefined!.add(this.bytes, start, end, id);
      } else {
        const text = this.pieceOf(id);
        before = this.reserved.get(text) ?? NO_PIECE;
        this.reserved.set(text, id);
        if (type === PieceType.unknown) {
          if (unknownId >= 0)
            throw fail(`pieces ${unknownId} and ${id} are both the unknown piece; expected one.`);
          unknownId = id;
        } else if (type === PieceType.byte) {
          if (!byteFallback) throw fail(`piece ${id} is a byte piece although byte fallback is off.`);
          const byte = byteOfPiece(text);
          if (byte === undefined) {
            throw fail(`byte piece ${id} is ${JSON.stringify(text)}; expected <0x00> to <0xFF>.`);
          }
          byteIds[byte] = id;
          this.byteValues.set(id, byte);
        }
      }
      if (before !== NO_PIECE) {
        throw fail(
          `pieces ${before} and ${id} are both ${JSON.stringify(this.pieceOf(id))}; expected each once.`,
        );
      }
    }
    if (unknownId < 0) throw fail(`none of its ${this.size} pieces is the unknown piece; expected one.`);
    if (byteFallback && byteIds.includes(-1)) {
      throw fail(
        `byte fallback is on but ${byteName(byteIds.indexOf(-1))} is missing; expected all 256 byte pieces.`,
      );
    }
    this.unknownId = unknownId;
    this.byteIds = byteFallback ? byteIds : undefined;
  }

  /** Text of a piece whose id is known to be in range. */
  pieceOf(id: number): string {
    return utf8.decode(this.bytes.subarray(this.starts[id]!, this.ends[id]!));
  }

  /** Bytes of UTF-8 in a piece whose id is known to be in range. */
  lengthOf(id: number): number {
    return this.ends[id]! - this.starts[id]!;
  }

  /** Id of the piece with this text; undefined when there is none. */
  idOf(piece: string): number | undefined {
    const reserved = this.reserved.get(piece);
    if (reserved !== undefined) return reserved;
    const found = this.trie.find(utf8Encoder.encode(piece));
    return found === NO_PIECE ? undefined : found;
  }

  /** Byte that a piece of type byte stands for. */
  byteOf(id: number): number {
    return this.byteValues.get(id)!;
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** Name of a byte piece, `<0x41>` for 65. */
export function byteName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** Byte that a piece of this text names; undefined when it is not exactly `<0xHH>` with capital digits. */
export function byteOfPiece(piece: string): number | undefined {
  return /^<0x[0-9A-F]{2}>$/.test(piece) ? Number.parseInt(piece.slice(3, 5), 16) : undefined;
}

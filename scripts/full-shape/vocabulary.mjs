import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../bootstrap/paths.mjs";
import { END_OF_TEXT, UNUSED, VOCABULARY } from "./shape.mjs";

const { readSentencePieceFile } = await import(
  join(root, "dist", "src", "tokenizer", "sentencepiece_file.js")
);

// Piece types of SentencePiece.
const [NORMAL, UNKNOWN, CONTROL, UNUSED_TYPE, BYTE] = [1, 2, 3, 5, 6];
const FIRST_BYTE = 71_118;
const FIRST_TRAINED = FIRST_BYTE + 256;
/** Special pieces where Persimmon-8B has them. */
const SPECIAL = new Map([
  [71_011, "|SPEAKER|"],
  [END_OF_TEXT, "|ENDOFTEXT|"],
  [71_019, "|NEWLINE|"],
]);

/** A `tokenizer.model` with the ids of Persimmon-8B and the trained pieces of the demo model, filled up to 262,144. */
export function fullVocabulary() {
  const path = join(root, "models", "demo", "tokenizer.model");
  const { pieces } = readSentencePieceFile(readFileSync(path), path);
  /** @type {Uint8Array[]} */
  const trained = [];
  for (let id = 0; id < pieces.types.length; id++) {
    if (pieces.types[id] !== NORMAL) continue;
    trained.push(piece(pieces.bytes.subarray(pieces.starts[id], pieces.ends[id]), pieces.scores[id], NORMAL));
  }
  const parts = Array.from({ length: VOCABULARY }, (_, id) => pieceAt(id, trained));
  return Buffer.concat([...parts, settings()]);
}

/** @param {number} id @param {Uint8Array[]} trained */
function pieceAt(id, trained) {
  if (id === 0) return piece("<unk>", 0, UNKNOWN);
  if (id < UNUSED[0]) return piece(id === 1 ? "<s>" : "</s>", 0, CONTROL);
  if (id < UNUSED[1]) return piece(`|UNUSED_${id}|`, 0, UNUSED_TYPE);
  if (id < FIRST_BYTE) return piece(SPECIAL.get(id) ?? `|SPECIAL_${id}|`, 0, CONTROL);
  if (id < FIRST_TRAINED) {
    return piece(`<0x${(id - FIRST_BYTE).toString(16).toUpperCase().padStart(2, "0")}>`, 0, BYTE);
  }
  return trained[id - FIRST_TRAINED] ?? piece(`\u2581filler${id}`, -40, NORMAL);
}

/** @param {string | Uint8Array} text @param {number} score @param {number} type */
function piece(text, score, type) {
  const bytes = Buffer.from(text);
  const number = Buffer.alloc(4);
  number.writeFloatLE(score);
  const body = Buffer.concat([field(1, bytes), Buffer.from([0x15]), number, Buffer.from([0x18, type])]);
  return field(1, body);
}

/** TrainerSpec: unigram with byte fallback. NormalizerSpec: a space in front, nothing removed. */
function settings() {
  const trainer = field(2, Buffer.from([0x18, 1, 0x98, 0x02, 1]));
  return Buffer.concat([trainer, field(3, Buffer.from([0x18, 1, 0x20, 0, 0x28, 1]))]);
}

/** A length-delimited protobuf field of less than 128 bytes, or of any length: @param {number} number @param {Buffer} bytes */
function field(number, bytes) {
  /** @type {number[]} */
  const length = [];
  for (let rest = bytes.length; ; rest >>= 7) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push((rest & 127) | 128);
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

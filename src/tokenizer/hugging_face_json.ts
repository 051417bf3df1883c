import { PersimmonError } from "../errors.js";
import { readNormalizer } from "./hugging_face_normalizer.js";
import {
  DEFAULT_UNKNOWN_SURFACE,
  type PieceTable,
  PieceType,
  type TokenizerSpecification,
} from "./specification.js";
import { byteOfPiece } from "./vocabulary.js";

/** Adept's end-of-text piece, which starts and ends every sequence. */
export const END_OF_TEXT_PIECE = "|ENDOFTEXT|";

/** Pieces that SentencePiece makes control symbols unless it is told otherwise. */
const CONTROL_PIECES = new Set(["<s>", "</s>", "<pad>"]);

/**
 * Reads a Hugging Face `tokenizer.json` with a Unigram model.
 *
 * The format has no piece types, so they are inferred: `<0x41>` is a byte (with byte fallback), `<s>`,
 * `</s>`, `<pad>` and special added tokens are control pieces, other added tokens and pieces with score 0 are
 * user-defined (trained pieces have negative log-probabilities), except that `|ENDOFTEXT|` stays matchable in
 * text, as Hugging Face and SentencePiece both have it. A control symbol that is no added token therefore
 * counts as user-defined: where there is a `tokenizer.model`, it is the better source.
 *
 * The segmentation is SentencePiece's, not that of the `tokenizers` library: control and byte pieces never
 * match text.
 *
 * @param text the contents of the file
 * @param source name of the file for error messages
 * @throws PersimmonError `TOKENIZER_CORRUPT` where the file is damaged, `TOKENIZER_UNSUPPORTED` for what it
 *   may say but is not implemented
 */
export function readHuggingFaceJson(text: string, source: string): TokenizerSpecification {
  const corrupt = (message: string, cause?: unknown) =>
    new PersimmonError("TOKENIZER_CORRUPT", `${source}: ${message}`, { cause });
  const unsupported = (message: string) =>
    new PersimmonError("TOKENIZER_UNSUPPORTED", `${source}: ${message}`);

  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (cause) {
    throw corrupt(
      `not JSON (${(cause as Error).message}); expected Hugging Face's tokenizer.json. Download it again.`,
      cause,
    );
  }
  if (!isObject(root) || !isObject(root.model))
    throw corrupt('no object under "model"; expected a tokenizer.json.');
  const model = root.model;
  if (model.type !== "Unigram") {
    throw unsupported(
      `model.type is ${JSON.stringify(model.type)}; expected "Unigram", the only kind that Persimmon uses.`,
    );
  }
  const entries: unknown = model.vocab;
  if (!Array.isArray(entries) || entries.length === 0)
    throw corrupt("model.vocab is not a list of [piece, score] pairs.");
  const names: string[] = [];
  const scores: number[] = [];
  for (const [id, entry] of entries.entries()) {
    const valid = Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1]);
    if (!valid || entry[0] === "") {
      throw corrupt(`model.vocab[${id}] is ${clip(JSON.stringify(entry))}; expected ["piece", score].`);
    }
    names.push(wellFormed(entry[0], `model.vocab[${id}]`, corrupt));
    scores.push(entry[1]);
  }
  const unknownId = model.unk_id;
  if (!Number.isInteger(unknownId) || (unknownId as number) < 0 || (unknownId as number) >= names.length) {
    throw corrupt(
      `model.unk_id is ${clip(JSON.stringify(unknownId))}; expected an id below ${names.length}.`,
    );
  }
  const byteFallback = model.byte_fallback === true;
  const added = readAddedTokens(root.added_tokens, names, scores, corrupt);
  const types = names.map((name, id) =>
    inferType(name, scores[id]!, added.get(id), id === unknownId, byteFallback),
  );
  const normalizer = readNormalizer(root.normalizer, root.pre_tokenizer, unsupported, corrupt);
  return {
    source,
    pieces: pieceTable(names, scores, types),
    normalizer,
    byteFallback,
    unknownSurface: DEFAULT_UNKNOWN_SURFACE,
    bosPiece: "<s>",
    eosPiece: "</s>",
  };
}

interface AddedToken {
  special: boolean;
}

/** Reads added_tokens; those past the end of the vocabulary extend it. */
function readAddedTokens(
  list: unknown,
  names: string[],
  scores: number[],
  corrupt: (message: string) => PersimmonError,
): Map<number, AddedToken> {
  const added = new Map<number, AddedToken>();
  if (list === undefined || list === null) return added;
  if (!Array.isArray(list)) throw corrupt("added_tokens is not a list.");
  for (const [index, token] of list.entries()) {
    if (!isObject(token) || typeof token.content !== "string" || !Number.isInteger(token.id)) {
      throw corrupt(
        `added_tokens[${index}] is ${clip(JSON.stringify(token))}; expected an object with id and content.`,
      );
    }
    const id = token.id as number;
    const content = wellFormed(token.content, `added_tokens[${index}]`, corrupt);
    if (id === names.length && content !== "") {
      names.push(content);
      scores.push(0);
    }
    if (names[id] !== content) {
      throw corrupt(
        `added_tokens[${index}] gives id ${id} to ${clip(JSON.stringify(content))}, but the vocabulary has ` +
          `${id in names ? clip(JSON.stringify(names[id])) : `only ${names.length} pieces`} there.`,
      );
    }
    added.set(id, { special: token.special === true });
  }
  return added;
}

function inferType(
  name: string,
  score: number,
  added: AddedToken | undefined,
  unknown: boolean,
  byteFallback: boolean,
): number {
  if (unknown) return PieceType.unknown;
  if (byteFallback && byteOfPiece(name) !== undefined) return PieceType.byte;
  if (CONTROL_PIECES.has(name)) return PieceType.control;
  if (name === END_OF_TEXT_PIECE) return PieceType.userDefined;
  if (added !== undefined) return added.special ? PieceType.control : PieceType.userDefined;
  return score === 0 ? PieceType.userDefined : PieceType.normal;
}

function pieceTable(names: string[], scores: number[], types: number[]): PieceTable {
  const encoded = Buffer.from(names.join(""), "utf8");
  const starts = new Uint32Array(names.length);
  const ends = new Uint32Array(names.length);
  let at = 0;
  for (const [id, name] of names.entries()) {
    starts[id] = at;
    at += Buffer.byteLength(name, "utf8");
    ends[id] = at;
  }
  return { bytes: encoded, starts, ends, scores: Float32Array.from(scores), types: Uint8Array.from(types) };
}

/** JSON can escape half a surrogate pair, which no UTF-8 piece can hold. */
function wellFormed(text: string, where: string, corrupt: (message: string) => PersimmonError): string {
  if (/\p{Surrogate}/u.test(text))
    throw corrupt(`${where} holds half a surrogate pair; expected Unicode text.`);
  return text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON short enough for an error message. */
function clip(json: string | undefined): string {
  if (json === undefined) return "missing";
  return json.length > 80 ? `${json.slice(0, 80)}…` : json;
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { PersimmonError } from "../../src/errors.js";
import { readSentencePieceFile } from "../../src/tokenizer/sentencepiece_file.js";
import { PieceType } from "../../src/tokenizer/specification.js";
import { Tokenizer } from "../../src/tokenizer/tokenizer.js";

/** A piece for `writeModel`: text, score, type (normal when left out). */
export type Piece = [text: string | Uint8Array, score: number, type?: number];

export interface ModelSettings {
  pieces: Piece[];
  byteFallback?: boolean;
  addDummyPrefix?: boolean;
  removeExtraWhitespaces?: boolean;
  escapeWhitespaces?: boolean;
  modelType?: number;
  charsmap?: Uint8Array;
  denormalizerCharsmap?: Uint8Array;
  unknownSurface?: string;
  bosPiece?: string;
  eosPiece?: string;
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** A length-delimited protobuf field. */
export function lengthDelimited(field: number, payload: Uint8Array): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(payload.length), payload]);
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([varint(field * 8 + 5), bytes]);
}

/** Writes the protobuf of a SentencePiece model, fields in the order in which SentencePiece writes them. */
export function writeModel(settings: ModelSettings): Buffer {
  const parts = settings.pieces.map(([text, score, type]) =>
    lengthDelimited(
      1,
      Buffer.concat([
        lengthDelimited(1, Buffer.from(text)),
        floatField(2, score),
        type === undefined ? Buffer.alloc(0) : varintField(3, type),
      ]),
    ),
  );
  const trainer = [varintField(3, settings.modelType ?? 1), varintField(35, settings.byteFallback ? 1 : 0)];
  if (settings.unknownSurface !== undefined)
    trainer.push(lengthDelimited(44, Buffer.from(settings.unknownSurface)));
  if (settings.bosPiece !== undefined) trainer.push(lengthDelimited(46, Buffer.from(settings.bosPiece)));
  if (settings.eosPiece !== undefined) trainer.push(lengthDelimited(47, Buffer.from(settings.eosPiece)));
  parts.push(lengthDelimited(2, Buffer.concat(trainer)));
  const normalizer = [
    varintField(3, settings.addDummyPrefix === false ? 0 : 1),
    varintField(4, settings.removeExtraWhitespaces ? 1 : 0),
    varintField(5, settings.escapeWhitespaces === false ? 0 : 1),
  ];
  if (settings.charsmap !== undefined) normalizer.unshift(lengthDelimited(2, settings.charsmap));
  parts.push(lengthDelimited(3, Buffer.concat(normalizer)));
  if (settings.denormalizerCharsmap !== undefined) {
    parts.push(lengthDelimited(5, lengthDelimited(2, settings.denormalizerCharsmap)));
  }
  return Buffer.concat(parts);
}

/** Unknown, start and end pieces, as every model has them first. */
export const headPieces: Piece[] = [
  ["<unk>", 0, PieceType.unknown],
  ["<s>", 0, PieceType.control],
  ["</s>", 0, PieceType.control],
];

/** `<0x00>` to `<0xFF>`. */
export const bytePieces: Piece[] = Array.from({ length: 256 }, (_, byte) => [
  `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  0,
  PieceType.byte,
]);

/** A small vocabulary in the manner of Persimmon's: `|ENDOFTEXT|` is id 3, byte b is id 6 + b. */
export const tinySettings: ModelSettings = {
  byteFallback: true,
  pieces: [
    ...headPieces,
    ["|ENDOFTEXT|", 0, PieceType.userDefined],
    ["|CONTROL|", 0, PieceType.control],
    ["unused", -1, PieceType.unused],
    ...bytePieces,
    ["▁", -2],
    ["▁▁▁▁", -4],
    ["▁▁▁▁return", -5],
    ["▁return", -5.5],
    ["e", -2.5],
    ["r", -3],
    ["t", -3.25],
    ["u", -3.5],
    ["n", -3.75],
    ["d", -4.5],
    ["s", -4.75],
    ["un", -5],
    ["used", -7],
    ["日", -8],
    ["日本", -9],
  ],
};

/** Id of the piece for a byte in `tinySettings`. */
export const tinyByte = (byte: number): number => 6 + byte;

export function tokenizerOf(settings: ModelSettings): Tokenizer {
  return new Tokenizer(readSentencePieceFile(writeModel(settings), "tiny.model"));
}

export function tinyTokenizer(): Tokenizer {
  return tokenizerOf(tinySettings);
}

/**
 * Vocabularies that sentencepiece trained, with its own answers; see scripts/reference/tokenizer_fixtures.py.
 */
export interface TrainedVariant {
  name: string;
  /** base64 of the model */
  model: string;
  size: number;
  texts: { text: string; ids: number[]; decoded: string }[];
  sequences: { ids: number[]; decoded: string }[];
}

export function trainedVariants(): TrainedVariant[] {
  const path = fileURLToPath(new URL("./fixtures/sentencepiece.json", import.meta.url));
  return JSON.parse(readFileSync(path, "utf8")).variants;
}

export function trainedTokenizer(variant: TrainedVariant): Tokenizer {
  return new Tokenizer(readSentencePieceFile(Buffer.from(variant.model, "base64"), `${variant.name}.model`));
}

/** Runs with a folder that holds the given files. */
export async function withDirectory<T>(
  files: Record<string, string | Uint8Array>,
  run: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "tokenizer-test-"));
  try {
    for (const [name, contents] of Object.entries(files)) writeFileSync(join(directory, name), contents);
    return await run(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The PersimmonError that a function throws or rejects with; fails when there is none. */
export async function errorOf(run: () => unknown): Promise<PersimmonError> {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(PersimmonError);
    return error as PersimmonError;
  }
  throw new Error("expected a PersimmonError, but nothing was thrown");
}

/** Decodes through a stream, and checks on the way that no piece of text ends inside a character. */
export function streamed(tokenizer: Tokenizer, ids: Iterable<number>, after?: Iterable<number>): string {
  const stream = tokenizer.decodeStream({ after });
  let text = "";
  for (const id of ids) {
    const part = stream.push(id);
    expect(part).not.toMatch(/\p{Surrogate}/u);
    text += part;
  }
  return text + stream.end();
}

import { PersimmonError } from "../errors.js";
import { ProtobufReader } from "./protobuf.js";
import {
  DEFAULT_UNKNOWN_SURFACE,
  type NormalizerSpecification,
  PieceType,
  type TokenizerSpecification,
} from "./specification.js";

/** Field numbers and defaults are those of sentencepiece_model.proto. */
interface TrainerFields {
  modelType: number;
  byteFallback: boolean;
  whitespaceAsSuffix: boolean;
  unknownSurface: string;
  bosPiece: string;
  eosPiece: string;
}

const UNIGRAM = 1;
const MODEL_TYPES = ["", "unigram", "BPE", "word", "char"];

/**
 * Reads a SentencePiece `tokenizer.model`.
 *
 * A protobuf that is cut between two pieces is still a valid protobuf with fewer pieces. What gives the cut
 * away is that the trainer's and the normaliser's settings, which SentencePiece always writes after the
 * pieces, are missing.
 *
 * @param data the bytes of the file
 * @param source name of the file for error messages
 * @throws PersimmonError `TOKENIZER_CORRUPT` where the file is damaged, `TOKENIZER_UNSUPPORTED` for models
 *   that are not unigram
 */
export function readSentencePieceFile(data: Uint8Array, source: string): TokenizerSpecification {
  if (data.length === 0) {
    throw new PersimmonError(
      "TOKENIZER_CORRUPT",
      `${source} is empty: expected a SentencePiece model. Download it again.`,
    );
  }
  refuseLfsPointer(data, source);

  const starts: number[] = [];
  const ends: number[] = [];
  const scores: number[] = [];
  const types: number[] = [];
  let trainer: TrainerFields | undefined;
  let normalizer: Omit<NormalizerSpecification, "whitespaceAsSuffix"> | undefined;

  const file = new ProtobufReader(data, source);
  while (file.next()) {
    switch (file.field) {
      case 1:
        readPiece(file.message(), starts, ends, scores, types);
        break;
      case 2:
        if (trainer !== undefined) throw file.corrupt("a second trainer_spec (field 2)");
        trainer = readTrainer(file.message());
        break;
      case 3:
        if (normalizer !== undefined) throw file.corrupt("a second normalizer_spec (field 3)");
        normalizer = readNormalizer(file.message());
        break;
      case 5:
        refuseDenormalizer(readNormalizer(file.message()), source);
        break;
      default:
        file.skip();
    }
  }
  if (trainer === undefined || normalizer === undefined) {
    const missing = trainer === undefined ? "trainer_spec (field 2)" : "normalizer_spec (field 3)";
    throw file.corrupt(`the end of the file after ${starts.length} pieces and no ${missing}`, data.length);
  }
  if (trainer.modelType !== UNIGRAM) {
    throw new PersimmonError(
      "TOKENIZER_UNSUPPORTED",
      `${source} is a ${MODEL_TYPES[trainer.modelType] ?? `type ${trainer.modelType}`} model; expected unigram (type 1), ` +
        "the only kind that Persimmon uses.",
    );
  }
  return {
    source,
    pieces: {
      bytes: data,
      starts: Uint32Array.from(starts),
      ends: Uint32Array.from(ends),
      scores: Float32Array.from(scores),
      types: Uint8Array.from(types),
    },
    normalizer: { ...normalizer, whitespaceAsSuffix: trainer.whitespaceAsSuffix },
    byteFallback: trainer.byteFallback,
    unknownSurface: trainer.unknownSurface,
    bosPiece: trainer.bosPiece,
    eosPiece: trainer.eosPiece,
  };
}

function readPiece(
  message: ProtobufReader,
  starts: number[],
  ends: number[],
  scores: number[],
  types: number[],
): void {
  const at = message.offset;
  let start = 0;
  let end = 0;
  let score = 0;
  let type: number = PieceType.normal;
  while (message.next()) {
    if (message.field === 1) ({ start, end } = message.range());
    else if (message.field === 2) score = message.float();
    else if (message.field === 3) type = message.int32();
    else message.skip();
  }
  if (start === end) throw message.corrupt(`piece ${starts.length} without text`, at);
  if (!Number.isFinite(score)) throw message.corrupt(`piece ${starts.length} with score ${score}`, at);
  if (type < PieceType.normal || type > PieceType.byte) {
    throw message.corrupt(`piece ${starts.length} of type ${type}, where types are 1 to 6`, at);
  }
  starts.push(start);
  ends.push(end);
  scores.push(score);
  types.push(type);
}

function readTrainer(message: ProtobufReader): TrainerFields {
  const trainer: TrainerFields = {
    modelType: UNIGRAM,
    byteFallback: false,
    whitespaceAsSuffix: false,
    unknownSurface: DEFAULT_UNKNOWN_SURFACE,
    bosPiece: "<s>",
    eosPiece: "</s>",
  };
  while (message.next()) {
    switch (message.field) {
      case 3:
        trainer.modelType = message.int32();
        break;
      case 24:
        trainer.whitespaceAsSuffix = message.bool();
        break;
      case 35:
        trainer.byteFallback = message.bool();
        break;
      case 44:
        trainer.unknownSurface = message.string();
        break;
      case 46:
        trainer.bosPiece = message.string();
        break;
      case 47:
        trainer.eosPiece = message.string();
        break;
      default:
        message.skip();
    }
  }
  return trainer;
}

function readNormalizer(message: ProtobufReader): Omit<NormalizerSpecification, "whitespaceAsSuffix"> {
  let charsmap: Uint8Array = new Uint8Array(0);
  let addDummyPrefix = true;
  let removeExtraWhitespaces = true;
  let escapeWhitespaces = true;
  while (message.next()) {
    if (message.field === 2) charsmap = message.bytes();
    else if (message.field === 3) addDummyPrefix = message.bool();
    else if (message.field === 4) removeExtraWhitespaces = message.bool();
    else if (message.field === 5) escapeWhitespaces = message.bool();
    else message.skip();
  }
  return { charsmap, addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces };
}

/**
 * A denormaliser rewrites decoded text. No Persimmon vocabulary has one, and ignoring it would decode other
 * text.
 */
function refuseDenormalizer(denormalizer: { charsmap: Uint8Array }, source: string): void {
  if (denormalizer.charsmap.length > 0) {
    throw new PersimmonError(
      "TOKENIZER_UNSUPPORTED",
      `${source} has denormalisation rules (denormalizer_spec, ${denormalizer.charsmap.length} bytes), which are not ` +
        "implemented: decoded text would be wrong.",
    );
  }
}

/** A clone without Git LFS leaves a small text file in place of the model. */
function refuseLfsPointer(data: Uint8Array, source: string): void {
  const prefix = "version https://git-lfs";
  if (
    data.length >= prefix.length &&
    Buffer.from(data.subarray(0, prefix.length)).toString("latin1") === prefix
  ) {
    throw new PersimmonError(
      "TOKENIZER_CORRUPT",
      `${source} is a Git LFS pointer of ${data.length} bytes, not the model itself. Run "git lfs pull" there.`,
    );
  }
}

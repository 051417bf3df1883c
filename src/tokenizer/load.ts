import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { PersimmonError, valueText } from "../errors.js";
import { readHuggingFaceJson } from "./hugging_face_json.js";
import { readSentencePieceFile } from "./sentencepiece_file.js";
import type { TokenizerSpecification } from "./specification.js";
import { Tokenizer, type TokenizerOptions } from "./tokenizer.js";

/**
 * The tokenizer files of a model directory in order of preference: the hub's, Adept's release's, and the one
 * that newer conversions have. `tokenizer.json` comes last because it does not say which pieces are control
 * symbols.
 */
export const TOKENIZER_FILES = ["tokenizer.model", "adept_vocab.model", "tokenizer.json"] as const;

/** Persimmon-8B's `tokenizer.model` has 6 MB, a `tokenizer.json` of it about 20. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/**
 * Loads the tokenizer of a model directory: `tokenizer.model`, else `adept_vocab.model`, else
 * `tokenizer.json`; and, where present, `add_bos_token` and `bos_token` from `tokenizer_config.json` or
 * `special_tokens_map.json`.
 *
 * @throws PersimmonError `ARGUMENT_INVALID`, `TOKENIZER_NOT_FOUND` with the files looked for, `TOKENIZER_CORRUPT` with the
 *   place of the damage, `TOKENIZER_UNSUPPORTED`, `TOKENIZER_CONFIG`, or `TOKENIZER_UNREADABLE` when the file
 *   system refuses
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  if (typeof directory !== "string" || directory === "") {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      `loadTokenizer takes the folder of a model, got ${valueText(directory)}`,
    );
  }
  const specification = await readSpecification(directory);
  return new Tokenizer(specification, await readOptions(directory));
}

/** The tokenizer of a SentencePiece model that is in memory; `source` is what errors call it. */
export function sentencePieceTokenizer(bytes: Uint8Array, source: string): Tokenizer {
  return new Tokenizer(readSentencePieceFile(bytes, source));
}

async function readSpecification(directory: string): Promise<TokenizerSpecification> {
  for (const name of TOKENIZER_FILES) {
    const path = join(directory, name);
    const data = await readIfPresent(path);
    if (data === undefined) continue;
    return name.endsWith(".json")
      ? readHuggingFaceJson(data.toString("utf8"), path)
      : readSentencePieceFile(data, path);
  }
  throw new PersimmonError(
    "TOKENIZER_NOT_FOUND",
    `no tokenizer in ${directory}: looked for ${TOKENIZER_FILES.join(", ")}. ` +
      "Put the model's tokenizer.model there, or give the directory that has one.",
  );
}

async function readOptions(directory: string): Promise<TokenizerOptions> {
  const configPath = join(directory, "tokenizer_config.json");
  const mapPath = join(directory, "special_tokens_map.json");
  const config = await readJsonObject(configPath);
  const map = await readJsonObject(mapPath);
  const addBos = config.add_bos_token ?? undefined;
  if (addBos !== undefined && typeof addBos !== "boolean") {
    throw new PersimmonError(
      "TOKENIZER_CONFIG",
      `${configPath}: add_bos_token is ${JSON.stringify(addBos)}; expected true or false.`,
    );
  }
  const bosPiece = tokenText(config.bos_token, configPath) ?? tokenText(map.bos_token, mapPath);
  return { addBos, bosPiece };
}

/** A special token is a string, or an object with the string under `content`; null means none. */
function tokenText(token: unknown, path: string): string | undefined {
  if (token === undefined || token === null) return undefined;
  const text = typeof token === "object" ? (token as { content?: unknown }).content : token;
  if (typeof text !== "string") {
    throw new PersimmonError(
      "TOKENIZER_CONFIG",
      `${path}: bos_token is ${JSON.stringify(token)}; expected a string or an object with "content".`,
    );
  }
  return text;
}

async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const data = await readIfPresent(path);
  if (data === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(data.toString("utf8"));
  } catch (cause) {
    throw new PersimmonError("TOKENIZER_CONFIG", `${path} is not JSON: ${(cause as Error).message}.`, {
      cause,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PersimmonError("TOKENIZER_CONFIG", `${path}: expected a JSON object.`);
  }
  return value as Record<string, unknown>;
}

/** Contents of a file; undefined when there is none. */
async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new PersimmonError(
        "TOKENIZER_CORRUPT",
        `${path} has ${size} bytes; expected a tokenizer of at most ${MAX_FILE_BYTES}.`,
      );
    }
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof PersimmonError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new PersimmonError("TOKENIZER_UNREADABLE", `cannot read ${path}: ${(cause as Error).message}.`, {
      cause,
    });
  }
}

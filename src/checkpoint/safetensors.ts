import { PersimmonError } from "../errors.js";
import { elementCount, SAFETENSORS_DTYPES, type SafetensorsCode } from "./dtype.js";
import { PositionalFile, parseJson, type ReadableAt } from "./file.js";
import { duplicateKey } from "./json_keys.js";
import type { StoredTensor } from "./stored_tensor.js";

/** What the header of one safetensors file declares. */
export interface SafetensorsFile {
  file: string;
  tensors: Map<string, StoredTensor>;
  /** `__metadata__`: free text by name. */
  metadata: Record<string, string>;
  /** Where the tensor data begins in the file. */
  dataOffset: number;
}

// The bound of the reference implementation (Rust crate safetensors); 580 tensors take 60 kB.
const LARGEST_HEADER = 100_000_000;

/**
 * Reads and checks the header of a safetensors file: 8 bytes little-endian length, JSON, then data whose offsets
 * count from the end of the header. The data is not read. Format: https://huggingface.co/docs/safetensors
 *
 * @throws PersimmonError SAFETENSORS_INVALID (header), CHECKPOINT_TRUNCATED, CHECKPOINT_TRAILING_BYTES,
 *   CHECKPOINT_OVERLAP, CHECKPOINT_HOLE (byte ranges), CHECKPOINT_UNREADABLE
 */
export function readSafetensorsHeader(path: string): Promise<SafetensorsFile> {
  return PositionalFile.use(path, safetensorsHeader);
}

/** The same of a file that lies anywhere: it is read twice. */
export async function safetensorsHeader(file: ReadableAt): Promise<SafetensorsFile> {
  const { path } = file;
  const header = await readHeader(file);
  const tensors = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header.json)) {
    if (name === "__metadata__") metadata = checkMetadata(entry, path);
    else tensors.set(name, checkTensor(name, entry, path, header.dataOffset, file.size));
  }
  checkLayout([...tensors.values()], path, header.dataOffset, file.size);
  return { file: path, tensors, metadata, dataOffset: header.dataOffset };
}

function invalid(path: string, message: string): PersimmonError {
  return new PersimmonError("SAFETENSORS_INVALID", `${path}: ${message}`);
}

async function readHeader(file: ReadableAt) {
  const start = await file.read(0, 8, "the length of the header");
  const length = start.readBigUInt64LE();
  if (start.toString("latin1") === "version ") {
    throw invalid(file.path, "found a Git LFS pointer in place of the weights; run `git lfs pull` there.");
  }
  if (length > LARGEST_HEADER || length < 2n) {
    const expected = `expected a header of 2 to ${LARGEST_HEADER} bytes`;
    throw invalid(
      file.path,
      `${expected}, but its first 8 bytes say ${length}; not a safetensors file, or a corrupt one.`,
    );
  }
  const bytes = await file.read(8, Number(length), "the header");
  const json = parseJson(bytes, `${file.path} (header)`, "SAFETENSORS_INVALID");
  if (!isObject(json)) throw invalid(file.path, "expected the header to be a JSON object.");
  const twice = duplicateKey(bytes.toString("utf8"));
  if (twice !== undefined) throw invalid(file.path, `the header has the key "${twice}" twice.`);
  return { json, dataOffset: 8 + Number(length) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkMetadata(entry: unknown, path: string): Record<string, string> {
  if (isObject(entry) && Object.values(entry).every((value) => typeof value === "string")) {
    return entry as Record<string, string>;
  }
  throw invalid(path, "expected __metadata__ to map names to text.");
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function checkTensor(
  name: string,
  entry: unknown,
  path: string,
  dataOffset: number,
  size: number,
): StoredTensor {
  const problem = (message: string) => invalid(path, `tensor "${name}": ${message}.`);
  if (!isObject(entry)) throw problem("expected an object with dtype, shape and data_offsets");
  const { dtype: code, shape, data_offsets: offsets } = entry;
  if (typeof code !== "string" || !Object.hasOwn(SAFETENSORS_DTYPES, code)) {
    const known = Object.keys(SAFETENSORS_DTYPES).join(", ");
    throw problem(`expected a dtype of ${known}, found ${JSON.stringify(code)}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw problem("expected shape to be a list of whole numbers");
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1]) {
    throw problem(`expected data_offsets [begin, end], found ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const format = SAFETENSORS_DTYPES[code as SafetensorsCode];
  const elements = elementCount(shape);
  if (elements === undefined || elements * format.bytes !== end - begin) {
    const needed = `${code} [${shape}] needs ${(elements ?? Number.POSITIVE_INFINITY) * format.bytes} bytes`;
    throw problem(`${needed}, but data_offsets [${begin}, ${end}] hold ${end - begin}`);
  }
  if (dataOffset + end > size) {
    throw new PersimmonError(
      "CHECKPOINT_TRUNCATED",
      `${path}: tensor "${name}" ends at byte ${dataOffset + end}, but the file has ${size} bytes. ` +
        "It was probably not downloaded completely: fetch it again.",
    );
  }
  return {
    name,
    dtype: format.name,
    shape,
    file: path,
    byteOffset: dataOffset + begin,
    byteLength: end - begin,
  };
}

/** The tensors cover the data section exactly: the format allows neither overlaps nor unused bytes. */
function checkLayout(tensors: StoredTensor[], path: string, dataOffset: number, size: number): void {
  const ordered = tensors.sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let position = dataOffset;
  let previous = "the header";
  for (const { name, byteOffset, byteLength } of ordered) {
    if (byteOffset !== position) {
      const [code, what] =
        byteOffset < position
          ? ["CHECKPOINT_OVERLAP", "overlaps"]
          : ["CHECKPOINT_HOLE", "leaves a gap after"];
      const message = `tensor "${name}" begins at byte ${byteOffset} and ${what} ${previous}, which ends at byte ${position}`;
      throw new PersimmonError(code, `${path}: ${message}.`);
    }
    position += byteLength;
    previous = `tensor "${name}"`;
  }
  if (position !== size) {
    const message = `the last tensor ends at byte ${position}, but the file has ${size - position} bytes more`;
    throw new PersimmonError("CHECKPOINT_TRAILING_BYTES", `${path}: ${message}.`);
  }
}

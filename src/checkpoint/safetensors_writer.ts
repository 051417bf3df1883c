import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { PersimmonError } from "../errors.js";
import { bytesPerElement, elementCount, isStoredDType, type StoredDType, safetensorsCode } from "./dtype.js";

/** A tensor to be written: row-major little-endian bytes, or a function that makes them when their turn comes. */
export interface TensorToWrite {
  name: string;
  dtype: StoredDType;
  shape: readonly number[];
  data: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
}

// The data begins at a multiple of this many bytes, so that memory-mapped rows start on cache lines.
const ALIGNMENT = 64;

/** Where everything of a safetensors file lies. */
export interface SafetensorsLayout {
  /** The first bytes of the file. */
  header: Uint8Array;
  /** Names in the order of the file. */
  names: string[];
  /** Position in the file and bytes of each tensor. */
  places: Map<string, { offset: number; byteLength: number }>;
  /** Bytes of the whole file. */
  size: number;
}

type Declared = Pick<TensorToWrite, "name" | "dtype" | "shape">;

/**
 * Lays out a safetensors file. Wider elements come first and then names in order, as the reference implementation
 * sorts them, so every tensor is aligned to its element size.
 *
 * @param path for errors
 * @throws PersimmonError TENSOR_INVALID for a repeated name or a wrong shape
 */
export function layOut(
  tensors: Iterable<Declared>,
  path: string,
  metadata?: Record<string, string>,
): SafetensorsLayout {
  const ordered = [...tensors].map((tensor) => ({ ...tensor, byteLength: checkedLength(tensor, path) }));
  ordered.sort((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype) || compareNames(a.name, b.name));
  const header = makeHeader(ordered, path, metadata);
  const places = new Map<string, { offset: number; byteLength: number }>();
  let offset = header.byteLength;
  for (const { name, byteLength } of ordered) {
    places.set(name, { offset, byteLength });
    offset += byteLength;
  }
  return { header, names: ordered.map(({ name }) => name), places, size: offset };
}

/**
 * Writes a safetensors file, laid out by `layOut`. The file appears under its name only when it is
 * complete; it replaces one that is there. Only one tensor's bytes are needed at a time.
 *
 * @param metadata free text by name, such as `{ format: "pt" }`
 * @throws PersimmonError TENSOR_INVALID for a repeated name, a wrong shape or data of another length; CHECKPOINT_UNWRITABLE
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata?: Record<string, string>,
): Promise<void> {
  const list = [...tensors];
  const { header, names, places } = layOut(list, path, metadata);
  const byName = new Map(list.map((tensor) => [tensor.name, tensor]));
  const temporary = `${path}.${process.pid}-${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(header);
      for (const name of names) {
        const { data } = byName.get(name)!;
        const { byteLength } = places.get(name)!;
        const bytes = typeof data === "function" ? await data() : data;
        if (bytes.byteLength !== byteLength) {
          throw problem(path, name, `expected ${byteLength} bytes of data, found ${bytes.byteLength}`);
        }
        // writeFile on a handle goes on where it stands and splits writes that are too long for one call.
        await file.writeFile(bytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    if (cause instanceof Error && "syscall" in cause) {
      throw new PersimmonError("CHECKPOINT_UNWRITABLE", `${path}: cannot be written: ${cause.message}.`, {
        cause,
      });
    }
    throw cause;
  }
}

function problem(path: string, name: string, message: string): PersimmonError {
  return new PersimmonError("TENSOR_INVALID", `${path}: tensor "${name}": ${message}.`);
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function checkedLength(tensor: Declared, path: string): number {
  if (!isStoredDType(tensor.dtype)) throw problem(path, tensor.name, `unknown dtype ${tensor.dtype}`);
  if (!tensor.shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw problem(path, tensor.name, `expected a shape of whole numbers, found [${tensor.shape}]`);
  }
  const elements = elementCount(tensor.shape);
  if (elements === undefined) throw problem(path, tensor.name, `the shape [${tensor.shape}] is too large`);
  return elements * bytesPerElement(tensor.dtype);
}

type Placed = Declared & { byteLength: number };

function makeHeader(tensors: Placed[], path: string, metadata?: Record<string, string>): Uint8Array {
  const header = new Map<string, unknown>();
  if (metadata !== undefined) header.set("__metadata__", metadata);
  let offset = 0;
  for (const { name, dtype, shape, byteLength } of tensors) {
    if (name === "__metadata__") throw problem(path, name, "this name is reserved");
    if (header.has(name)) throw problem(path, name, "there are two tensors of this name");
    header.set(name, { dtype: safetensorsCode(dtype), shape, data_offsets: [offset, offset + byteLength] });
    offset += byteLength;
  }
  // From entries, since an object literal would lose a tensor called __proto__.
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)), "utf8");
  const padded = Math.ceil((json.byteLength + 8) / ALIGNMENT) * ALIGNMENT;
  const bytes = Buffer.alloc(padded, " ");
  bytes.writeBigUInt64LE(BigInt(padded - 8));
  json.copy(bytes, 8);
  return bytes;
}

import { PersimmonError } from "../../errors.js";
import type { PositionalFile } from "../file.js";

/** One entry as the central directory lists it. */
export interface ZipEntry {
  name: string;
  flags: number;
  /** 0: stored as it is. */
  method: number;
  crc: number;
  compressedSize: number;
  size: number;
  headerOffset: number;
}

export interface ZipDirectory {
  entries: Map<string, ZipEntry>;
  /** Where the central directory begins: all data lies before it. */
  offset: number;
}

const END = 0x06054b50;
const END_SIZE = 22;
const LONGEST_COMMENT = 0xffff;
const END64 = 0x06064b50;
const END64_SIZE = 56;
const LOCATOR64 = 0x07064b50;
const LOCATOR64_SIZE = 20;
const ENTRY = 0x02014b50;
const ENTRY_SIZE = 46;
const ZIP64_EXTRA = 1;
// 580 tensors take 60 kB of directory.
const LARGEST_DIRECTORY = 64 * 2 ** 20;

export function zipInvalid(path: string, message: string): PersimmonError {
  return new PersimmonError("ZIP_INVALID", `${path}: ${message}. Fetch the file again.`);
}

export function zipUnsupported(path: string, message: string): PersimmonError {
  return new PersimmonError("ZIP_UNSUPPORTED", `${path}: ${message}. Save it again with torch.save.`);
}

/**
 * Reads the central directory of a zip archive, zip64 included, from the end of the file. Entry data is not read.
 * Layout: APPNOTE.TXT of PKWARE, sections 4.3.12 to 4.3.16 and 4.5.3.
 *
 * @throws PersimmonError ZIP_INVALID, ZIP_UNSUPPORTED (several disks), CHECKPOINT_TRUNCATED
 */
export async function readZipDirectory(file: PositionalFile): Promise<ZipDirectory> {
  const { count, size, offset } = await readEnd(file);
  if (size > LARGEST_DIRECTORY) throw zipInvalid(file.path, `its central directory claims ${size} bytes`);
  const bytes = await file.read(offset, size, "the central directory of the zip archive");
  const entries = new Map<string, ZipEntry>();
  let position = 0;
  while (position < size) {
    const { entry, length } = readEntryAt(file.path, bytes, position);
    if (entries.has(entry.name)) throw zipInvalid(file.path, `two zip entries are called "${entry.name}"`);
    entries.set(entry.name, entry);
    position += length;
  }
  if (entries.size !== count) {
    throw zipInvalid(
      file.path,
      `its end record counts ${count} entries, its central directory has ${entries.size}`,
    );
  }
  return { entries, offset };
}

/** The end record, found by scanning backwards past a comment, or the zip64 record that replaces it. */
async function readEnd(file: PositionalFile) {
  const tailSize = Math.min(file.size, END_SIZE + LONGEST_COMMENT);
  const tailStart = file.size - tailSize;
  const tail = await file.read(tailStart, tailSize, "the end of the zip archive");
  let at = tailSize - END_SIZE;
  while (
    at >= 0 &&
    !(tail.readUInt32LE(at) === END && tail.readUInt16LE(at + 20) === tailSize - at - END_SIZE)
  )
    at--;
  if (at < 0)
    throw zipInvalid(file.path, "expected a zip archive, found no end record; truncated or another format");

  const locatorAt = tailStart + at - LOCATOR64_SIZE;
  if (locatorAt >= 0) {
    const locator = await file.read(locatorAt, LOCATOR64_SIZE, "the zip64 locator");
    if (locator.readUInt32LE(0) === LOCATOR64)
      return readEnd64(file, exact(file.path, locator.readBigUInt64LE(8)));
  }
  if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 6) !== 0) {
    throw zipUnsupported(file.path, "the zip archive is split over several disks");
  }
  return {
    count: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
}

async function readEnd64(file: PositionalFile, position: number) {
  const record = await file.read(position, END64_SIZE, "the zip64 end record");
  if (record.readUInt32LE(0) !== END64)
    throw zipInvalid(file.path, `no zip64 end record at byte ${position}`);
  if (record.readUInt32LE(16) !== 0 || record.readUInt32LE(20) !== 0) {
    throw zipUnsupported(file.path, "the zip archive is split over several disks");
  }
  const field = (at: number) => exact(file.path, record.readBigUInt64LE(at));
  return { count: field(32), size: field(40), offset: field(48) };
}

function exact(path: string, value: bigint): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw zipInvalid(path, `a zip64 field holds the impossible value ${value}`);
}

function readEntryAt(path: string, bytes: Buffer, at: number): { entry: ZipEntry; length: number } {
  const damaged = () => zipInvalid(path, `its central directory is damaged ${at} bytes in`);
  if (at + ENTRY_SIZE > bytes.length || bytes.readUInt32LE(at) !== ENTRY) throw damaged();
  const nameLength = bytes.readUInt16LE(at + 28);
  const extraLength = bytes.readUInt16LE(at + 30);
  const length = ENTRY_SIZE + nameLength + extraLength + bytes.readUInt16LE(at + 32);
  if (at + length > bytes.length) throw damaged();
  const extraStart = at + ENTRY_SIZE + nameLength;
  const extra = zip64Fields(bytes.subarray(extraStart, extraStart + extraLength));
  // A field of all ones means: see the zip64 extra, which holds only such fields, in this order.
  const wide = (value: number): number => {
    if (value !== 0xffffffff) return value;
    const next = extra.shift();
    if (next === undefined) throw damaged();
    return exact(path, next);
  };
  const size = wide(bytes.readUInt32LE(at + 24));
  const compressedSize = wide(bytes.readUInt32LE(at + 20));
  const headerOffset = wide(bytes.readUInt32LE(at + 42));
  const entry = {
    name: bytes.toString("utf8", at + ENTRY_SIZE, extraStart),
    flags: bytes.readUInt16LE(at + 8),
    method: bytes.readUInt16LE(at + 10),
    crc: bytes.readUInt32LE(at + 16),
    compressedSize,
    size,
    headerOffset,
  };
  return { entry, length };
}

function zip64Fields(extra: Buffer): bigint[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const id = extra.readUInt16LE(at);
    const end = Math.min(at + 4 + extra.readUInt16LE(at + 2), extra.length);
    if (id === ZIP64_EXTRA) {
      const fields: bigint[] = [];
      for (let field = at + 4; field + 8 <= end; field += 8) fields.push(extra.readBigUInt64LE(field));
      return fields;
    }
    at = end;
  }
  return [];
}

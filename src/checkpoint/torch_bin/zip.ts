import { crc32 } from "node:zlib";
import { PersimmonError } from "../../errors.js";
import type { PositionalFile } from "../file.js";
import { type ZipDirectory, type ZipEntry, zipInvalid, zipUnsupported } from "./zip_directory.js";

/** Where the bytes of a stored (uncompressed) entry lie in the archive. */
export interface ZipData {
  name: string;
  /** Start of the local header, which lies directly before the data. */
  headerOffset: number;
  byteOffset: number;
  byteLength: number;
}

const LOCAL_HEADER = 0x04034b50;
const LOCAL_HEADER_SIZE = 30;

/**
 * Finds the data of one entry through its local header, whose length can differ from what the directory suggests:
 * torch pads it so that data begins at a multiple of 64.
 *
 * @throws PersimmonError ZIP_UNSUPPORTED (compressed, encrypted), ZIP_INVALID, CHECKPOINT_TRUNCATED
 */
export async function locate(
  file: PositionalFile,
  directory: ZipDirectory,
  entry: ZipEntry,
): Promise<ZipData> {
  if ((entry.flags & 0x2041) !== 0) throw zipUnsupported(file.path, `entry "${entry.name}" is encrypted`);
  if (entry.method !== 0 || entry.compressedSize !== entry.size) {
    throw zipUnsupported(
      file.path,
      `entry "${entry.name}" is compressed; torch.save stores entries as they are`,
    );
  }
  const header = await file.read(entry.headerOffset, LOCAL_HEADER_SIZE, `the zip header of "${entry.name}"`);
  if (header.readUInt32LE(0) !== LOCAL_HEADER) {
    throw zipInvalid(file.path, `no local header of "${entry.name}" at byte ${entry.headerOffset}`);
  }
  const nameLength = header.readUInt16LE(26);
  const name = await file.read(entry.headerOffset + LOCAL_HEADER_SIZE, nameLength, "the name of a zip entry");
  if (name.toString("utf8") !== entry.name || header.readUInt16LE(8) !== entry.method) {
    throw zipInvalid(file.path, `the local header of "${entry.name}" contradicts the central directory`);
  }
  const byteOffset = entry.headerOffset + LOCAL_HEADER_SIZE + nameLength + header.readUInt16LE(28);
  if (byteOffset + entry.size > directory.offset) {
    throw zipInvalid(
      file.path,
      `entry "${entry.name}" ends at byte ${byteOffset + entry.size}, inside the central directory at ${directory.offset}`,
    );
  }
  return { name: entry.name, headerOffset: entry.headerOffset, byteOffset, byteLength: entry.size };
}

/** Reads a small entry whole and checks its CRC-32, except for 0: torch writes that when told not to compute it. */
export async function readEntry(
  file: PositionalFile,
  directory: ZipDirectory,
  entry: ZipEntry,
  largest: number,
): Promise<Buffer> {
  if (entry.size > largest) {
    throw zipInvalid(file.path, `entry "${entry.name}" has ${entry.size} bytes; expected at most ${largest}`);
  }
  const { byteOffset, byteLength } = await locate(file, directory, entry);
  const bytes = await file.read(byteOffset, byteLength, `zip entry "${entry.name}"`);
  const computed = crc32(bytes);
  if (entry.crc !== 0 && entry.crc !== computed) {
    const hex = (value: number) => value.toString(16).padStart(8, "0");
    throw zipInvalid(
      file.path,
      `entry "${entry.name}" is corrupt: its CRC-32 is ${hex(computed)}, the directory says ${hex(entry.crc)}`,
    );
  }
  return bytes;
}

/** @throws PersimmonError CHECKPOINT_OVERLAP when two entries share bytes of the archive */
export function checkNoOverlap(path: string, data: Iterable<ZipData>): void {
  const ordered = [...data].sort((a, b) => a.headerOffset - b.headerOffset);
  for (let index = 1; index < ordered.length; index++) {
    const before = ordered[index - 1];
    const entry = ordered[index];
    if (before.byteOffset + before.byteLength > entry.headerOffset) {
      const message = `zip entries "${before.name}" and "${entry.name}" overlap at byte ${entry.headerOffset}`;
      throw new PersimmonError("CHECKPOINT_OVERLAP", `${path}: ${message}.`);
    }
  }
}

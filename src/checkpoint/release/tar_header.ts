import { PersimmonError } from "../../errors.js";

export const TAR_BLOCK = 512;
const CHECKSUM = { start: 148, end: 156 };

/** One header block of a tar archive. */
export interface TarHeader {
  name: string;
  size: number;
  /** "0" a file, "5" a directory, "x", "g", "L", "K" what is about another member, and more. */
  type: string;
}

export function tarInvalid(path: string, message: string): PersimmonError {
  return new PersimmonError("TAR_INVALID", `${path}: not a sound tar archive: ${message}. Fetch it again.`);
}

/** Reads a header block; undefined for the block of zeros that ends an archive. */
export function readTarHeader(block: Buffer, position: number, path: string): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const wanted = readNumber(block.subarray(CHECKSUM.start, CHECKSUM.end), path, position);
  // The sum of all bytes, those of the sum itself counted as spaces.
  const sum = block.reduce(
    (total, byte, at) => total + (at >= CHECKSUM.start && at < CHECKSUM.end ? 0x20 : byte),
    0,
  );
  if (sum !== wanted)
    throw tarInvalid(path, `the header at byte ${position} has another checksum than it says`);
  const text = (start: number, length: number) =>
    block.toString("utf8", start, start + length).replace(/\0.*$/s, "");
  // GNU's format has other fields in place of the prefix.
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? text(345, 155) : "";
  const type = block[156] === 0 ? "0" : String.fromCharCode(block[156]);
  return {
    name: prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`,
    size: readNumber(block.subarray(124, 136), path, position),
    type,
  };
}

/** A number in octal digits, or in base 256 where the first bit is set (GNU, for sizes from 8 GB). */
function readNumber(field: Buffer, path: string, position: number): number {
  if (field[0] < 0x80) {
    return readSize(
      field
        .toString("latin1")
        .replace(/[\0 ]+$/, "")
        .trimStart() || "0",
      8,
      path,
      position,
    );
  }
  if (field[0] !== 0x80) throw tarInvalid(path, `the header at byte ${position} has a negative number`);
  const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  return readSize(String(value), 10, path, position);
}

export function readSize(digits: string, base: 8 | 10, path: string, position: number): number {
  const value = (base === 8 ? /^[0-7]+$/ : /^\d+$/).test(digits) ? Number.parseInt(digits, base) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw tarInvalid(path, `the header at byte ${position} has a field that is no number of bytes`);
}

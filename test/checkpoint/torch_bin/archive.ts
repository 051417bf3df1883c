import { crc32 } from "node:zlib";

export interface EntryToWrite {
  name: string;
  data: Uint8Array;
  method?: number;
  flags?: number;
  crc?: number;
  /** What the directory claims, if not the truth. */
  size?: number;
  compressedSize?: number;
  headerOffset?: number;
  /** Name in the local header, if another. */
  localName?: string;
  padding?: number;
}

interface ZipOptions {
  /** Write sizes and offsets in zip64 form although they are small. */
  zip64?: boolean;
  comment?: string;
  /** Entries that the end record counts, if not the truth. */
  count?: number;
}

/** Builds a zip archive byte by byte, with any lie that a test wants in it. */
export function makeZip(entries: EntryToWrite[], options: ZipOptions = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  const add = (part: Buffer) => {
    parts.push(part);
    position += part.length;
  };
  for (const entry of entries) {
    directory.push(directoryEntry(entry, position, options.zip64 ?? false));
    const name = Buffer.from(entry.localName ?? entry.name);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(entry.flags ?? 0, 6);
    header.writeUInt16LE(entry.method ?? 0, 8);
    header.writeUInt16LE(name.length, 26);
    header.writeUInt16LE(entry.padding ?? 0, 28);
    add(Buffer.concat([header, name, Buffer.alloc(entry.padding ?? 0), entry.data]));
  }
  const start = position;
  for (const entry of directory) add(entry);
  const size = position - start;
  const count = options.count ?? entries.length;
  if (options.zip64) add(end64(count, size, start, position));
  const comment = Buffer.from(options.comment ?? "");
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(options.zip64 ? 0xffff : count, 8);
  end.writeUInt16LE(options.zip64 ? 0xffff : count, 10);
  end.writeUInt32LE(options.zip64 ? 0xffffffff : size, 12);
  end.writeUInt32LE(options.zip64 ? 0xffffffff : start, 16);
  end.writeUInt16LE(comment.length, 20);
  add(Buffer.concat([end, comment]));
  return Buffer.concat(parts);
}

function directoryEntry(entry: EntryToWrite, position: number, zip64: boolean): Buffer {
  const size = entry.size ?? entry.data.length;
  const compressedSize = entry.compressedSize ?? size;
  const offset = entry.headerOffset ?? position;
  const extra = Buffer.alloc(zip64 ? 28 : 0);
  if (zip64) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    for (const [index, value] of [size, compressedSize, offset].entries()) {
      extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
    }
  }
  const name = Buffer.from(entry.name);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(entry.flags ?? 0, 8);
  header.writeUInt16LE(entry.method ?? 0, 10);
  header.writeUInt32LE(entry.crc ?? crc32(entry.data), 16);
  header.writeUInt32LE(zip64 ? 0xffffffff : compressedSize, 20);
  header.writeUInt32LE(zip64 ? 0xffffffff : size, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(zip64 ? 0xffffffff : offset, 42);
  return Buffer.concat([header, name, extra]);
}

function end64(count: number, size: number, start: number, position: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(size), 40);
  record.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(position), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}

type Part = string | number | Uint8Array;

/** Pickle opcodes as bytes: text is taken as Latin-1, a number is one byte. */
export function bytes(...parts: Part[]): Buffer {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === "string"
        ? Buffer.from(part, "latin1")
        : typeof part === "number"
          ? Buffer.from([part])
          : part,
    ),
  );
}

export function integer(value: number): Buffer {
  const result = Buffer.alloc(5, "J");
  result.writeInt32LE(value, 1);
  return result;
}

export function text(value: string): Buffer {
  const utf8 = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(utf8.length);
  return bytes("X", length, utf8);
}

export function tuple(...items: Part[]): Buffer {
  return bytes("(", ...items, "t");
}

export function global(module: string, name: string): string {
  return `c${module}\n${name}\n`;
}

export function storage(key: string, length: number, type = "FloatStorage"): Buffer {
  return bytes(tuple(text("storage"), global("torch", type), text(key), text("cpu"), integer(length)), "Q");
}

export const orderedDict = `${global("collections", "OrderedDict")})R`;

export function tensor(from: Uint8Array, offset: number, shape: number[], strides: number[]): Buffer {
  const list = (values: number[]) => tuple(...values.map(integer));
  const parameters = tuple(from, integer(offset), list(shape), list(strides), "\x89", orderedDict);
  return bytes(global("torch._utils", "_rebuild_tensor_v2"), parameters, "R");
}

/** A whole pickle: an OrderedDict of the given values. */
export function stateDict(values: Record<string, Uint8Array>): Buffer {
  const items = Object.entries(values).flatMap(([name, value]) => [text(name), value]);
  return bytes("\x80\x02", orderedDict, "(", ...items, "u.");
}

export function floats(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** The entries of a sound torch archive. */
export function torchEntries(pickle: Uint8Array, storages: Record<string, Uint8Array>): EntryToWrite[] {
  return [
    { name: "model/data.pkl", data: pickle },
    { name: "model/byteorder", data: Buffer.from("little") },
    ...Object.entries(storages).map(([key, data]) => ({ name: `model/data/${key}`, data, padding: 7 })),
    { name: "model/version", data: Buffer.from("3\n") },
  ];
}

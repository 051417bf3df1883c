import { type FileHandle, open, stat } from "node:fs/promises";
import { TextDecoder } from "node:util";
import { PersimmonError } from "../errors.js";

// One read call of more than 2^31 - 1 bytes fails on every platform.
const LARGEST_READ = 2 ** 30;

/** A part of a file that is read as if it were one, such as a member of a tar archive. */
export interface FileRange {
  file: string;
  offset: number;
  length: number;
  /** What errors call it. */
  label: string;
}

/** What can be read at given positions; `path` is for errors. */
export interface ReadableAt {
  readonly path: string;
  readonly size: number;
  read(position: number, length: number, what: string): Promise<Buffer>;
}

/** A file, or a range of one, that is read at given positions, never as a whole. */
export class PositionalFile implements ReadableAt {
  private constructor(
    /** Path of the file on disk. */
    readonly file: string,
    /** What errors call it: the path, for a range with the name of the part. */
    readonly path: string,
    private readonly handle: FileHandle,
    /** Where position 0 lies in the file on disk. */
    readonly start: number,
    /** Length in bytes when it was opened. */
    readonly size: number,
  ) {}

  /** Opens a file or a range of one for the time of `body`. */
  static async use<T>(place: string | FileRange, body: (file: PositionalFile) => Promise<T>): Promise<T> {
    const path = typeof place === "string" ? place : place.file;
    const handle = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
      throw new PersimmonError("CHECKPOINT_UNREADABLE", `${path}: cannot be opened: ${cause.message}.`, {
        cause,
      });
    });
    try {
      const status = await handle.stat();
      if (!status.isFile()) {
        throw new PersimmonError("CHECKPOINT_UNREADABLE", `${path}: expected a file, found something else.`);
      }
      if (typeof place === "string") {
        return await body(new PositionalFile(path, path, handle, 0, status.size));
      }
      const { offset, length, label } = place;
      if (offset + length > status.size) throw truncated(path, label, offset, length, status.size);
      return await body(new PositionalFile(path, label, handle, offset, length));
    } finally {
      await handle.close();
    }
  }

  /** @throws PersimmonError CHECKPOINT_TRUNCATED when the range passes the end of the file */
  async read(position: number, length: number, what: string): Promise<Buffer> {
    if (!Number.isSafeInteger(position) || position < 0 || position + length > this.size) {
      throw truncated(this.path, what, position, length, this.size);
    }
    const bytes = Buffer.allocUnsafe(length);
    await this.readInto(bytes, position, what);
    return bytes;
  }

  async readInto(bytes: Uint8Array, position: number, what: string): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const wanted = Math.min(bytes.byteLength - done, LARGEST_READ);
      const { bytesRead } = await this.handle
        .read(bytes, done, wanted, this.start + position + done)
        .catch((cause) => {
          throw new PersimmonError(
            "CHECKPOINT_UNREADABLE",
            `${this.path}: reading ${what}: ${cause.message}.`,
            { cause },
          );
        });
      if (bytesRead === 0) throw truncated(this.path, what, position, bytes.byteLength, position + done);
      done += bytesRead;
    }
  }
}

function truncated(
  path: string,
  what: string,
  position: number,
  length: number,
  size: number,
): PersimmonError {
  return new PersimmonError(
    "CHECKPOINT_TRUNCATED",
    `${path}: expected ${what} in bytes ${position} to ${position + length}, but the file has ${size} bytes. ` +
      "It was probably not downloaded completely: fetch it again.",
  );
}

/** What is at a path (links followed), or undefined when there is nothing. */
export async function kindOf(path: string): Promise<"file" | "directory" | undefined> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) return undefined;
  return status.isDirectory() ? "directory" : "file";
}

/** All of a small range, such as a tokenizer in a tar. */
export function readRange(range: FileRange, largest = 256 * 2 ** 20): Promise<Buffer> {
  return PositionalFile.use(range, async (file) => {
    if (file.size > largest) {
      const message = `expected at most ${largest} bytes, found ${file.size}`;
      throw new PersimmonError("CHECKPOINT_UNREADABLE", `${file.path}: ${message}.`);
    }
    return file.read(0, file.size, "the file");
  });
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Parses UTF-8 JSON; an error carries `code` and says where. */
export function parseJson(bytes: Uint8Array, where: string, code: string): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new PersimmonError(code, `${where}: expected JSON in UTF-8: ${reason}.`, { cause });
  }
}

/** Reads a small JSON file; `largest` bounds what a damaged one can make us allocate. */
export function readJsonFile(path: string, code: string, largest = 64 * 2 ** 20): Promise<unknown> {
  return PositionalFile.use(path, async (file) => {
    if (file.size > largest) {
      throw new PersimmonError(
        code,
        `${path}: expected at most ${largest} bytes of JSON, found ${file.size}.`,
      );
    }
    return parseJson(await file.read(0, file.size, "JSON"), path, code);
  });
}

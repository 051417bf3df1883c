import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { PersimmonError } from "../../errors.js";

/**
 * A file of JSON lines that only grows. A line is there when its line break is: what a process left unfinished when it was
 * killed is cut off at the next opening.
 */
export class Journal<Row> implements Disposable {
  readonly path: string;
  /** All rows, in the order in which they were written. */
  readonly rows: Row[];
  readonly #file: number;
  #size: number;
  #isOnDisk = true;

  private constructor(path: string, rows: Row[], file: number, size: number) {
    this.path = path;
    this.rows = rows;
    this.#file = file;
    this.#size = size;
  }

  /** Opens or begins one. Throws `RUN_CORRUPT` for a line that is no JSON, `RUN_WRITE_FAILED`. */
  static open<Row>(path: string): Journal<Row> {
    const { rows, size, torn } = readJournal<Row>(path);
    const file = attempt(path, () => openSync(path, "a"));
    if (torn) attempt(path, () => ftruncateSync(file, size));
    return new Journal(path, rows, file, size);
  }

  /**
   * Adds rows: they are in the file then, also when this process is killed. If that fails none of them is there, and those from
   * before are.
   * @throws PersimmonError RUN_WRITE_FAILED
   */
  append(...rows: readonly Row[]): void {
    if (rows.length === 0) return;
    const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""), "utf8");
    try {
      let written = 0;
      while (written < bytes.length) written += writeSync(this.#file, bytes, written);
    } catch (error) {
      try {
        ftruncateSync(this.#file, this.#size);
      } catch {
        // Then the next opening drops the unfinished line.
      }
      throw writeError(this.path, error);
    }
    this.#size += bytes.length;
    this.#isOnDisk = false;
    for (const row of rows) this.rows.push(row);
  }

  /** Waits until the disk has all rows. Throws `RUN_WRITE_FAILED`. */
  sync(): void {
    if (this.#isOnDisk) return;
    attempt(this.path, () => fdatasyncSync(this.#file));
    this.#isOnDisk = true;
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** The whole lines of a journal; none where there is no file. Lines end at "\n" and nowhere else. */
export function readJournal<Row>(path: string): { rows: Row[]; size: number; torn: boolean } {
  const bytes = readIfThere(path);
  const size = bytes.lastIndexOf("\n") + 1;
  const lines = size === 0 ? [] : bytes.toString("utf8", 0, size - 1).split("\n");
  const rows = lines.map((line, index): Row => {
    try {
      const row: unknown = JSON.parse(line);
      if (typeof row === "object" && row !== null) return row as Row;
    } catch {
      // Said below.
    }
    throw new PersimmonError(
      "RUN_CORRUPT",
      `${path}:${index + 1}: expected a JSON object, found ${JSON.stringify(line.slice(0, 60))}: the file was changed by something else; remove the line, and the run makes its sample again`,
    );
  });
  return { rows, size, torn: size < bytes.length };
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw new PersimmonError("RUN_CORRUPT", `${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Runs what writes to a run folder; its errors get a code. */
export function attempt<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw writeError(path, error);
  }
}

function writeError(path: string, error: unknown): PersimmonError {
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
  const what = full ? "there is no room left for it" : message;
  return new PersimmonError(
    "RUN_WRITE_FAILED",
    `${path} could not be written: ${what}. Finished items are kept; ${full ? "make room" : "mend that"} and start the run again with the same folder to go on`,
    { cause: error },
  );
}

import { type FileHandle, open, readFile } from "node:fs/promises";

/**
 * What a conversion has written: a line of JSON for each block, with the CRC-32 of every part of it. The first line says which
 * conversion it is. Lines are only appended, so that a program that is killed leaves at most its last one broken.
 */
export class Journal {
  private constructor(
    private readonly handle: FileHandle,
    /** Checksums of finished blocks, by their number. */
    readonly done: Map<number, number[]>,
  ) {}

  /**
   * Opens the journal at `path`, or begins one.
   * @param identity what the conversion depends on; a journal of another one is not gone on with
   * @returns undefined when the journal is of another conversion
   */
  static async open(path: string, identity: string): Promise<Journal | undefined> {
    const text = await readFile(path, "utf8").catch(() => "");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const [head, ...lines] = whole.split("\n").slice(0, -1);
    if (head !== undefined && head !== identity) return undefined;
    const handle = await open(path, head === undefined ? "w" : "a");
    const done = new Map<number, number[]>();
    for (const line of lines) {
      const entry = parse(line);
      if (entry !== undefined) done.set(entry.block, entry.checksums);
    }
    if (head === undefined) await handle.appendFile(`${identity}\n`);
    else if (whole.length < text.length) await handle.appendFile("\n");
    return new Journal(handle, done);
  }

  async add(block: number, checksums: number[]): Promise<void> {
    this.done.set(block, checksums);
    await this.handle.appendFile(`${JSON.stringify({ block, checksums })}\n`);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** A line, or undefined where it is broken: such a block is made again. */
function parse(line: string): { block: number; checksums: number[] } | undefined {
  try {
    const { block, checksums } = JSON.parse(line) as { block: unknown; checksums: unknown };
    const sound = Number.isInteger(block) && Array.isArray(checksums) && checksums.every(Number.isInteger);
    return sound ? { block: block as number, checksums: checksums as number[] } : undefined;
  } catch {
    return undefined;
  }
}

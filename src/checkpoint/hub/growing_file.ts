import { type FileHandle, open } from "node:fs/promises";
import { Checksum, type ContentId } from "./checksum.js";

const READ = 2 ** 20;

/** A file that is being received, with its checksum so far: nothing of it is read again in the end. */
export class GrowingFile {
  /** Bytes that are there. */
  position = 0;
  /** The most that were there at any time. */
  furthest = 0;
  /** ETag of the last answer. */
  tag: string | undefined;
  /** Whether it has bytes that were found at the beginning. */
  isContinued = false;
  #sum: Checksum;

  private constructor(
    private readonly handle: FileHandle,
    private readonly expected: { id: ContentId; size: number },
    private readonly onBytes: (bytes: number) => void,
  ) {
    this.#sum = new Checksum(expected.id, expected.size);
  }

  /** Opens the file, or makes it, for the time of `body`. */
  static async use(
    path: string,
    expected: { id: ContentId; size: number },
    onBytes: (bytes: number) => void,
    body: (file: GrowingFile) => Promise<void>,
  ): Promise<void> {
    const handle = await open(path, "r+").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return open(path, "wx+");
      throw error;
    });
    try {
      await body(new GrowingFile(handle, expected, onBytes));
    } finally {
      await handle.close();
    }
  }

  /** Reads what is there, for the checksum; more than the whole is no part of it. */
  async takeUp(signal: AbortSignal | undefined): Promise<void> {
    const { size } = await this.handle.stat();
    if (size > this.expected.size) return this.restart();
    const buffer = Buffer.allocUnsafe(READ);
    while (this.position < size) {
      signal?.throwIfAborted();
      const { bytesRead } = await this.handle.read(buffer, 0, READ, this.position);
      if (bytesRead === 0) break;
      this.#sum.update(buffer.subarray(0, bytesRead));
      this.#moveTo(this.position + bytesRead);
    }
    this.isContinued = this.position > 0;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const rest = bytes.byteLength - done;
      const { bytesWritten } = await this.handle.write(bytes, done, rest, this.position + done);
      done += bytesWritten;
    }
    this.#sum.update(bytes);
    this.#moveTo(this.position + bytes.byteLength);
  }

  async restart(): Promise<void> {
    await this.handle.truncate(0);
    this.#sum = new Checksum(this.expected.id, this.expected.size);
    this.tag = undefined;
    this.isContinued = false;
    this.#moveTo(0);
  }

  /** Whether it is the expected content; asked once for each beginning. */
  matches(): boolean {
    return this.#sum.matches();
  }

  /** Waits for the disk: else a power failure could leave a file with its final name and nothing in it. */
  async sync(): Promise<void> {
    await this.handle.sync();
  }

  #moveTo(position: number): void {
    this.position = position;
    this.furthest = Math.max(this.furthest, position);
    this.onBytes(position);
  }
}

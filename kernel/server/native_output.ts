import { readSync } from "node:fs";
import { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import type { StreamName } from "./stream_batch.js";

/**
 * Reads what native code and child processes write to descriptors 1 and 2, which lead into pipes (see
 * capture.ts). The pipe is watched, and can also be emptied at once, so that text comes before the cell's end.
 */
export class NativeOutput {
  readonly #sources: { name: StreamName; fd: number; decoder: StringDecoder; socket: Socket }[];
  readonly #write: (name: StreamName, text: string) => void;
  readonly #buffer = Buffer.allocUnsafe(64 * 1024);

  constructor(fds: { stdout: number; stderr: number }, write: (name: StreamName, text: string) => void) {
    this.#write = write;
    this.#sources = (["stdout", "stderr"] as const).map((name) => {
      const decoder = new StringDecoder("utf8");
      const socket = new Socket({ fd: fds[name], readable: true, writable: false });
      socket.on("data", (chunk: Buffer) => write(name, decoder.write(chunk)));
      socket.on("error", () => {});
      return { name, fd: fds[name], decoder, socket };
    });
  }

  /** Takes in what lies in the pipes now. */
  drain(): void {
    for (const { name, fd, decoder } of this.#sources) {
      try {
        for (let size = 1; size > 0; ) {
          size = readSync(fd, this.#buffer);
          if (size > 0) this.#write(name, decoder.write(this.#buffer.subarray(0, size)));
        }
      } catch {
        // EAGAIN: empty
      }
    }
  }

  close(): void {
    for (const { socket } of this.#sources) socket.destroy();
  }
}

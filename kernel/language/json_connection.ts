import type { Duplex } from "node:stream";

const HEADER_BYTES = 4;

/** Values as JSON over a stream of bytes: each is preceded by its length in bytes (32 bits, little-endian). */
export class JsonConnection {
  readonly #stream: Duplex;
  #received: Buffer[] = [];
  #length = 0;

  constructor(stream: Duplex, receive: (value: never) => void) {
    this.#stream = stream;
    stream.on("data", (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#length += chunk.length;
      for (let value = this.#next(); value !== undefined; value = this.#next()) receive(value as never);
    });
  }

  send(value: unknown): void {
    const text = Buffer.from(JSON.stringify(value));
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt32LE(text.length);
    this.#stream.write(Buffer.concat([header, text]));
  }

  #next(): unknown {
    if (this.#length < HEADER_BYTES) return undefined;
    if (this.#received.length > 1 && this.#received[0]!.length < HEADER_BYTES) this.#join();
    const end = HEADER_BYTES + this.#received[0]!.readUInt32LE();
    if (this.#length < end) return undefined;
    this.#join();
    const [all] = this.#received as [Buffer];
    const text = all.toString("utf8", HEADER_BYTES, end);
    this.#length -= end;
    this.#received = this.#length > 0 ? [all.subarray(end)] : [];
    return JSON.parse(text);
  }

  #join(): void {
    if (this.#received.length > 1) this.#received = [Buffer.concat(this.#received)];
  }
}

/** The two text streams of a process. */
export type StreamName = "stdout" | "stderr";

// 40 ms is below what a reader notices; 64 KB keeps one message cheap to render.
const FLUSH_AFTER_MS = 40;
const FLUSH_AT_CHARACTERS = 64 * 1024;

/**
 * Joins many small writes into few stream messages: 10,000 printed lines become a handful of messages.
 * Text is sent after 40 ms, at 64 K characters, when the stream or the parent changes, and when {@link flush} is
 * called, which the publisher does before every other message so that order is kept.
 */
export class StreamBatch {
  readonly #send: (name: StreamName, text: string, parent: string) => void;
  #name: StreamName = "stdout";
  #parent = "";
  #pieces: string[] = [];
  #length = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param send called with the joined text and the id of the request that it belongs to */
  constructor(send: (name: StreamName, text: string, parent: string) => void) {
    this.#send = send;
  }

  write(name: StreamName, text: string, parent: string): void {
    if (!text) return;
    if (this.#length > 0 && (name !== this.#name || parent !== this.#parent)) this.flush();
    this.#name = name;
    this.#parent = parent;
    this.#pieces.push(text);
    this.#length += text.length;
    if (this.#length >= FLUSH_AT_CHARACTERS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#length === 0) return;
    const text = this.#pieces.join("");
    this.#pieces = [];
    this.#length = 0;
    this.#send(this.#name, text, this.#parent);
  }
}

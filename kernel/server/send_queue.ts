/** The part of a ZeroMQ socket that a queue needs. */
export interface Sender {
  send(frames: Uint8Array[]): Promise<void>;
}

/**
 * Sends messages over one socket in order, one at a time. zeromq.js refuses a second send while the first is under
 * way (EBUSY), so without a queue output is lost from about the 513th message of a tick on.
 */
export class SendQueue {
  readonly #socket: Sender;
  readonly #waiting: Uint8Array[][] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(socket: Sender) {
    this.#socket = socket;
  }

  push(frames: Uint8Array[]): void {
    if (this.#closed) return;
    this.#waiting.push(frames);
    this.#running ??= this.#drain();
  }

  /** Resolves when everything pushed so far has been handed to ZeroMQ; later pushes are dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    // An index instead of shift(): shifting a long array costs O(n) each.
    for (let i = 0; i < this.#waiting.length; i++) {
      try {
        await this.#socket.send(this.#waiting[i]!);
      } catch {
        break; // the socket has been closed
      }
    }
    this.#waiting.length = 0;
    this.#running = undefined;
  }
}

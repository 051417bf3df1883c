import type { Content, Header } from "../protocol/message.js";
import type { Wire } from "../protocol/wire.js";
import type { Channels } from "./channels.js";
import { StreamBatch, type StreamName } from "./stream_batch.js";

// Enough for every cell of a long day; output of an older one loses its parent.
const REMEMBERED_PARENTS = 20_000;

/** What goes to all clients. Batches streams and sends them before whatever else is published, so order is kept. */
export class Publisher {
  readonly #channels: Pick<Channels, "send">;
  readonly #wire: Wire;
  readonly #parents = new Map<string, Header>();
  readonly #streams: StreamBatch;
  /** Called before anything but stream text leaves: takes in what native code has printed. */
  beforeFlush: () => void = () => {};

  constructor(channels: Pick<Channels, "send">, wire: Wire) {
    this.#channels = channels;
    this.#wire = wire;
    this.#streams = new StreamBatch((name, text, parent) => this.#send("stream", { name, text }, parent));
  }

  /** Remembers the header of a request, so that later output can name it as its parent. */
  remember(header: Header): void {
    this.#parents.set(header.msg_id, header);
    if (this.#parents.size > REMEMBERED_PARENTS) {
      this.#parents.delete(this.#parents.keys().next().value!);
    }
  }

  write(name: StreamName, text: string, parent: string): void {
    this.#streams.write(name, text, parent);
  }

  publish(
    type: string,
    content: Content,
    parent: string,
    options: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] } = {},
  ): void {
    this.flush();
    this.#send(type, content, parent, options);
  }

  flush(): void {
    this.beforeFlush();
    this.#streams.flush();
  }

  status(state: "busy" | "idle" | "starting", parent: string): void {
    this.publish("status", { execution_state: state }, parent);
  }

  #send(
    type: string,
    content: Content,
    parent: string,
    options: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] } = {},
  ): void {
    const header = this.#parents.get(parent);
    const identities = [Buffer.from(`kernel.${this.#wire.session}.${type}`)];
    this.#channels.send(
      "iopub",
      this.#wire.create(type, content, { ...options, identities, parent: header ?? {} }),
    );
  }
}

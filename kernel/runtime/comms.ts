import { randomUUID } from "node:crypto";
import type { Content } from "../protocol/message.js";
import type { ToServer } from "../threads.js";
import { plain } from "./plain.js";

/** A message of a comm, as its listeners get it. */
export interface CommMessage {
  content: { comm_id: string; data: unknown; target_name?: string };
  metadata: Record<string, unknown>;
  buffers: Uint8Array[];
}

interface SendOptions {
  buffers?: (ArrayBufferView | ArrayBufferLike)[];
  metadata?: Record<string, unknown>;
}

type Listener = (message: CommMessage) => unknown;
type Publish = (messageType: string, content: Content, options: SendOptions) => void;

/** One open channel between cells and the page. */
export class Comm {
  readonly #publish: Publish;
  readonly #remove: () => void;
  readonly messageListeners: Listener[] = [];
  readonly closeListeners: Listener[] = [];

  constructor(
    readonly id: string,
    readonly targetName: string,
    publish: Publish,
    remove: () => void,
  ) {
    this.#publish = publish;
    this.#remove = remove;
  }

  send(data: unknown = {}, options: SendOptions = {}): void {
    this.#publish("comm_msg", { comm_id: this.id, data }, options);
  }

  close(data: unknown = {}, options: SendOptions = {}): void {
    this.#remove();
    this.#publish("comm_close", { comm_id: this.id, data }, options);
  }

  onMsg(listener: Listener): void {
    this.messageListeners.push(listener);
  }

  onClose(listener: Listener): void {
    this.closeListeners.push(listener);
  }
}

/** The comms of a kernel: targets that the page may open, and channels that are open. */
export class Comms {
  readonly #targets = new Map<string, (comm: Comm, open: CommMessage) => unknown>();
  readonly #comms = new Map<string, Comm>();
  readonly #publish: Publish;

  constructor(send: (message: ToServer) => void, parent: () => string) {
    this.#publish = (messageType, content, { buffers = [], metadata = {} }) =>
      send({
        type: "publish",
        messageType,
        content: plain(content),
        metadata: plain(metadata),
        buffers: buffers.map(bytesOf),
        parent: parent(),
      });
  }

  registerTarget(name: string, onOpen: (comm: Comm, open: CommMessage) => unknown): void {
    this.#targets.set(name, onOpen);
  }

  unregisterTarget(name: string): void {
    this.#targets.delete(name);
  }

  open(targetName: string, data: unknown = {}, options: SendOptions & { id?: string } = {}): Comm {
    const comm = this.#create(options.id ?? randomUUID(), targetName);
    this.#publish("comm_open", { comm_id: comm.id, target_name: targetName, data }, options);
    return comm;
  }

  /** Handles a comm message of the front end; resolves when its listeners are done. */
  async receive(kind: string, content: Content, metadata: Content, buffers: Uint8Array[]): Promise<void> {
    const id = String(content.comm_id ?? "");
    const message = { content, metadata, buffers } as unknown as CommMessage;
    if (kind === "comm_open") {
      const name = String(content.target_name ?? "");
      const onOpen = this.#targets.get(name);
      if (!onOpen) return this.#publish("comm_close", { comm_id: id, data: {} }, {});
      const comm = this.#create(id, name);
      try {
        await onOpen(comm, message);
      } catch (error) {
        comm.close();
        throw error;
      }
      return;
    }
    const comm = this.#comms.get(id);
    if (!comm) return;
    if (kind === "comm_close") this.#comms.delete(id);
    const listeners = kind === "comm_close" ? comm.closeListeners : comm.messageListeners;
    for (const listener of [...listeners]) await listener(message);
  }

  #create(id: string, targetName: string): Comm {
    const comm = new Comm(id, targetName, this.#publish, () => this.#comms.delete(id));
    this.#comms.set(id, comm);
    return comm;
  }
}

/** A copy: the sender may change its array before the message leaves. */
function bytesOf(data: ArrayBufferView | ArrayBufferLike): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return new Uint8Array(data).slice();
}

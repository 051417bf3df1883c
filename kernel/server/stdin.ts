import type { Message } from "../protocol/message.js";
import type { Wire } from "../protocol/wire.js";
import type { Channels } from "./channels.js";

/** Questions of a cell to the client that sent it, over the stdin channel. One is open at a time. */
export class Stdin {
  readonly #channels: Pick<Channels, "send">;
  readonly #wire: Wire;
  #pending: ((value: string) => void) | undefined;

  constructor(channels: Pick<Channels, "send">, wire: Wire) {
    this.#channels = channels;
    this.#wire = wire;
  }

  ask(request: Message, prompt: string, password: boolean, answer: (value: string) => void): void {
    this.#pending = answer;
    const { identities, header } = request;
    this.#channels.send(
      "stdin",
      this.#wire.create("input_request", { prompt, password }, { identities, parent: header }),
    );
  }

  /** Forgets the open question; an answer that still comes goes nowhere. */
  cancel(): void {
    this.#pending = undefined;
  }

  receive(message: Message): void {
    if (message.header.msg_type !== "input_reply") return;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.(String(message.content.value ?? ""));
  }
}

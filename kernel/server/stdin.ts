import type { Message } from "../protocol/message.js";
import type { Wire } from "../protocol/wire.js";
import type { Channels } from "./channels.js";

/** Questions of a cell to the client that sent it, over the stdin channel. One is open at a time. */
export class Stdin {
  readonly #channels: Pick<Channels, "send">;
  readonly #wire: Wire;
  #pending: { client: string; id: string; answer(value: string): void } | undefined;

  constructor(channels: Pick<Channels, "send">, wire: Wire) {
    this.#channels = channels;
    this.#wire = wire;
  }

  ask(request: Message, prompt: string, password: boolean, answer: (value: string) => void): void {
    const { identities, header } = request;
    const question = this.#wire.create("input_request", { prompt, password }, { identities, parent: header });
    this.#pending = { client: routeOf(request), id: question.header.msg_id, answer };
    this.#channels.send("stdin", question);
  }

  /** Forgets the open question; an answer that still comes goes nowhere. */
  cancel(): void {
    this.#pending = undefined;
  }

  receive(message: Message): void {
    if (message.header.msg_type !== "input_reply") return;
    const pending = this.#pending;
    if (!pending || routeOf(message) !== pending.client) return;
    // Some clients (JupyterLab) name the question that they answer, others (jupyter_client) name none.
    const { msg_id } = message.parentHeader;
    if (msg_id !== undefined && msg_id !== pending.id) return;
    this.#pending = undefined;
    const { value } = message.content;
    pending.answer(typeof value === "string" ? value : "");
  }
}

/** The routing prefix of the client that a message came from. */
function routeOf({ identities }: Message): string {
  return identities.map((identity) => Buffer.from(identity).toString("hex")).join(" ");
}

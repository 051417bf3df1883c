import { Router, XPublisher } from "zeromq";
import { addressOf, type ConnectionInfo } from "../protocol/connection.js";
import type { Message } from "../protocol/message.js";
import type { Wire } from "../protocol/wire.js";
import { SendQueue } from "./send_queue.js";

/** The channels over which messages are sent. */
export type ChannelName = "shell" | "control" | "stdin" | "iopub";

type Receiver = (message: Message) => void;

// Nothing may be dropped however slow the reader is; a 1,000-message mark loses half of 100,000 messages.
const NO_LIMIT = { sendHighWaterMark: 0, receiveHighWaterMark: 0, linger: 200 };
// A client that connects anew under its old identity takes the place of its old connection, which may be half dead.
const ROUTER = { ...NO_LIMIT, handover: true };

const BIND_FOR_MS = 5000;

/** All sockets of a kernel. They live on the server thread, so that user code never keeps them from answering. */
export class Channels {
  readonly #wire: Wire;
  readonly #shell = new Router(ROUTER);
  readonly #control = new Router(ROUTER);
  readonly #stdin = new Router(ROUTER);
  readonly #heartbeat = new Router(NO_LIMIT);
  readonly #iopub = new XPublisher({ ...NO_LIMIT, verbosity: "allSubs" });
  readonly #queues: Record<ChannelName, SendQueue>;

  /** Called when the first client has subscribed to iopub, after it has been welcomed. */
  onFirstSubscriber: () => void = () => {};

  constructor(wire: Wire) {
    this.#wire = wire;
    const sockets = { shell: this.#shell, control: this.#control, stdin: this.#stdin, iopub: this.#iopub };
    this.#queues = Object.fromEntries(
      Object.entries(sockets).map(([name, socket]) => [name, new SendQueue(socket as never)]),
    ) as Record<ChannelName, SendQueue>;
  }

  /** Binds all sockets and begins to deliver messages. */
  async open(
    info: ConnectionInfo,
    receivers: Record<"shell" | "control" | "stdin", Receiver>,
  ): Promise<void> {
    await Promise.all([
      bind(this.#heartbeat, addressOf(info, info.hb_port)),
      bind(this.#iopub, addressOf(info, info.iopub_port)),
      bind(this.#stdin, addressOf(info, info.stdin_port)),
      bind(this.#control, addressOf(info, info.control_port)),
      bind(this.#shell, addressOf(info, info.shell_port)),
    ]);
    void this.#echoHeartbeat();
    void this.#welcomeSubscribers();
    void this.#receive(this.#control, receivers.control);
    void this.#receive(this.#stdin, receivers.stdin);
    void this.#receive(this.#shell, receivers.shell);
  }

  send(channel: ChannelName, message: Message): void {
    this.#queues[channel].push(this.#wire.encode(message));
  }

  /** Sends what is queued, then closes every socket; an open receive would abort the process at exit. */
  async close(): Promise<void> {
    await Promise.all(Object.values(this.#queues).map((queue) => queue.close()));
    for (const socket of [this.#shell, this.#control, this.#stdin, this.#heartbeat, this.#iopub])
      socket.close();
  }

  async #receive(socket: Router, receiver: Receiver): Promise<void> {
    try {
      for await (const frames of socket) {
        const message = this.#wire.decode(frames);
        if (!message) continue;
        try {
          receiver(message);
        } catch {
          // A message that makes its handler fail must not end the loop that reads the next.
        }
      }
    } catch {
      // The socket has been closed.
    }
  }

  async #echoHeartbeat(): Promise<void> {
    try {
      for await (const frames of this.#heartbeat) await this.#heartbeat.send(frames);
    } catch {
      // The socket has been closed.
    }
  }

  /** Greets each new subscriber with iopub_welcome (JEP 65), so that a client knows from when on it misses nothing. */
  async #welcomeSubscribers(): Promise<void> {
    let first = true;
    try {
      for await (const [frame] of this.#iopub) {
        if (frame?.[0] !== 1) continue;
        const topic = frame.subarray(1);
        const subscription = topic.toString("utf8");
        this.send(
          "iopub",
          this.#wire.create("iopub_welcome", { subscription }, { identities: [Buffer.from(topic)] }),
        );
        if (first) this.onFirstSubscriber();
        first = false;
      }
    } catch {
      // The socket has been closed.
    }
  }
}

/** After a crash the kernel before this one may still hold a port for a moment; see crash/last_words.ts. */
async function bind(socket: Router | XPublisher, address: string): Promise<void> {
  for (const deadline = Date.now() + BIND_FOR_MS; ; ) {
    try {
      return await socket.bind(address);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

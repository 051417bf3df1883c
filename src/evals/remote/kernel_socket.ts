import { randomUUID } from "node:crypto";
import type { KernelMessage } from "@jupyterlab/services";
import { PersimmonError } from "../../errors.js";
import { type JupyterServer, objectOf } from "./jupyter_server.js";

/** What is used of `ws`, which `@jupyterlab/services` connects with in Node. */
interface WebSocketOfNode {
  on(event: "open" | "pong", listener: () => void): void;
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): void;
  on(event: "close", listener: (code: number) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  send(data: string): void;
  ping(): void;
  terminate(): void;
}
type ConnectInNode = new (
  url: string,
  protocols: string[],
  options: { headers: Record<string, string>; handshakeTimeout: number },
) => WebSocketOfNode;

/** Outputs of a cell, as they come, and its reply at the end. */
interface Request {
  onDisplay: (data: Record<string, unknown>) => void;
  resolve: (reply: Record<string, unknown>) => void;
  reject: (error: PersimmonError) => void;
  reply?: Record<string, unknown>;
  isIdle: boolean;
}

export interface SocketTimes {
  /** Milliseconds from one sign of life to the next. */
  beat: number;
  /** Signs of life that may be missing. */
  missing: number;
  /** Milliseconds that a kernel may take to answer first. */
  start: number;
}

const usualTimes: SocketTimes = { beat: 10_000, missing: 3, start: 120_000 };

/**
 * The connection to one kernel, with messages and settings of `@jupyterlab/services` but a life of its own: its
 * `KernelConnection` writes to the console, throws what a server sends wrong as uncaught errors, tries for minutes to connect
 * again, and its timers outlive it. Here a connection that is cut is lost at once, and what it asked is asked elsewhere.
 */
export class KernelSocket {
  readonly #socket: WebSocketOfNode;
  readonly #session = randomUUID();
  readonly #requests = new Map<string, Request>();
  readonly #opened: Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #lost: PersimmonError | undefined;
  #open: () => void = () => {};
  #fail: (error: PersimmonError) => void = () => {};
  #silent = 0;

  private constructor(
    readonly server: JupyterServer,
    readonly kernel: string,
    readonly times: SocketTimes,
  ) {
    this.#opened = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#fail = reject;
    });
    this.#opened.catch(() => {});
    const { headers, settings } = server;
    const { wsUrl, WebSocket } = settings;
    const url = `${wsUrl}api/kernels/${encodeURIComponent(kernel)}/channels?session_id=${this.#session}`;
    const Socket = WebSocket as unknown as ConnectInNode;
    this.#socket = new Socket(url, [], { headers, handshakeTimeout: times.start });
    this.#socket.on("open", () => this.#open());
    this.#socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    this.#socket.on("pong", () => this.#hear());
    this.#socket.on("close", (code) => this.#lose(`the connection was closed (${code})`));
    this.#socket.on("error", (error) => this.#lose(`the connection failed (${error.message})`));
  }

  /**
   * Connects and waits until the kernel answers.
   * @param signal ends the connection, also later
   * @throws PersimmonError EVAL_KERNEL_LOST
   */
  static async open(
    server: JupyterServer,
    kernel: string,
    signal: AbortSignal,
    times: Partial<SocketTimes> = {},
  ): Promise<KernelSocket> {
    const socket = new KernelSocket(server, kernel, { ...usualTimes, ...times });
    const seconds = socket.times.start / 1000;
    const limit = setTimeout(
      () => socket.#lose(`the kernel did not answer within ${seconds} s`),
      socket.times.start,
    );
    const close = () => socket.close();
    signal.addEventListener("abort", close, { once: true });
    if (signal.aborted) close();
    try {
      await socket.#opened;
      socket.#timer = setInterval(() => void socket.#beat(), socket.times.beat);
      await socket.#ask("kernel_info_request", {}, () => {});
      return socket;
    } finally {
      clearTimeout(limit);
    }
  }

  /**
   * Runs a cell.
   * @param onDisplay called with the data of each display
   * @returns content of the reply, of an error too
   * @throws PersimmonError EVAL_KERNEL_LOST
   */
  async execute(
    code: string,
    onDisplay: (data: Record<string, unknown>) => void,
  ): Promise<Record<string, unknown>> {
    const content = { code, silent: false, store_history: false, allow_stdin: false, stop_on_error: true };
    return this.#ask("execute_request", content, onDisplay);
  }

  /** Ends the connection; what is asked still is lost. */
  close(): void {
    this.#lose("the connection was ended from here");
  }

  #ask(msgType: string, content: object, onDisplay: Request["onDisplay"]): Promise<Record<string, unknown>> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const { KernelMessage } = this.server.services;
    const message = KernelMessage.createMessage<KernelMessage.IExecuteRequestMsg>({
      msgType: msgType as "execute_request",
      channel: "shell",
      username: "",
      session: this.#session,
      content: content as KernelMessage.IExecuteRequestMsg["content"],
    });
    return new Promise((resolve, reject) => {
      this.#requests.set(message.header.msg_id, { onDisplay, resolve, reject, isIdle: false });
      this.#socket.send(this.server.settings.serializer.serialize(message) as string);
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#hear();
    // Messages with buffers are binary; none of ours is.
    if (isBinary || this.#lost !== undefined) return;
    let message: unknown;
    try {
      message = JSON.parse(data.toString("utf8"));
    } catch {
      message = undefined;
    }
    const { header, parent_header: parent, content } = objectOf(message) ?? {};
    const type = objectOf(header)?.msg_type;
    const body = objectOf(content);
    if (typeof type !== "string" || body === undefined) {
      this.#lose("the server sent what is no message");
      return;
    }
    const state = type === "status" ? body.execution_state : undefined;
    if (state === "restarting" || state === "autorestarting" || state === "dead") {
      this.#lose(`the kernel ended (${state})`);
      return;
    }
    const id = objectOf(parent)?.msg_id;
    const request = typeof id === "string" ? this.#requests.get(id) : undefined;
    if (request === undefined) return;
    if (type === "display_data") request.onDisplay(objectOf(body.data) ?? {});
    else if (type.endsWith("_reply")) request.reply = body;
    else if (state === "idle") request.isIdle = true;
    // The outputs have all come when both have: they take different ways.
    if (request.reply === undefined || !request.isIdle) return;
    this.#requests.delete(id as string);
    request.resolve(request.reply);
  }

  #hear(): void {
    this.#silent = 0;
  }

  /** A machine that vanished closes no connection, and a kernel that someone shut down may not either. */
  async #beat(): Promise<void> {
    if (this.#silent >= this.times.missing) return this.#lose("the server gives no sign of life");
    this.#silent++;
    this.#socket.ping();
    try {
      const isThere = await this.server.hasKernel(this.kernel, AbortSignal.timeout(this.times.beat));
      if (!isThere) this.#lose("the kernel is not there any more");
    } catch {
      // The connection may hold where a request fails for once.
    }
  }

  #lose(reason: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = new PersimmonError(
      "EVAL_KERNEL_LOST",
      `kernel ${this.kernel} of ${this.server.name}: ${reason}`,
    );
    clearInterval(this.#timer);
    this.#socket.terminate();
    this.#fail(this.#lost);
    for (const { reject } of this.#requests.values()) reject(this.#lost);
    this.#requests.clear();
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Dealer, Request, Subscriber } from "zeromq";
import type { Message } from "../../../kernel/protocol/message.js";
import { Wire } from "../../../kernel/protocol/wire.js";

/** A message as a test sees it, with the channel on which it came. */
export type Received = Message & { channel: string };

// biome-ignore lint/suspicious/noExplicitAny: replies are JSON of many shapes, and the tests check them
type Data = Record<string, any>;

/** What one execute_request led to. */
export interface Execution {
  id: string;
  reply: Data;
  /** iopub messages with this request as their parent, in order. */
  published: Received[];
}

const WAIT_MS = 25_000;

/** The compiled kernel; tests drive what users run. */
export function compiledKernel(): string {
  const main = resolve(import.meta.dirname, "../../../dist/kernel/main.js");
  if (!existsSync(main)) {
    throw new Error(
      `These tests drive the compiled kernel, and ${main} is missing: run "npm run build" first.`,
    );
  }
  return main;
}

/** A kernel process with a client on all five of its sockets: tests speak the protocol themselves. */
export class TestKernel {
  readonly received: Received[] = [];
  readonly shell = new Dealer({ linger: 0, routingId: "test-client" });
  readonly control = new Dealer({ linger: 0 });
  readonly stdin = new Dealer({ linger: 0, routingId: "test-client" });
  readonly iopub = new Subscriber({ linger: 0 });
  readonly heartbeat = new Request({ linger: 0 });
  readonly wire: Wire;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly #watchers = new Set<() => void>();

  private constructor(
    readonly process: ChildProcess,
    readonly folder: string,
    readonly connection: Data,
  ) {
    this.wire = new Wire(connection.key);
    this.exited = new Promise((done) => process.once("exit", (code, signal) => done(signal ?? code)));
    const connect = (socket: Dealer | Subscriber | Request, port: number) =>
      socket.connect(`tcp://127.0.0.1:${port}`);
    connect(this.shell, connection.shell_port);
    connect(this.control, connection.control_port);
    connect(this.stdin, connection.stdin_port);
    connect(this.heartbeat, connection.hb_port);
    this.iopub.subscribe();
    connect(this.iopub, connection.iopub_port);
    for (const channel of ["shell", "control", "stdin", "iopub"] as const) void this.#read(channel);
  }

  /** Starts a kernel in a folder of its own and waits until it answers. */
  static async start(): Promise<TestKernel> {
    const main = compiledKernel();
    const folder = mkdtempSync(join(tmpdir(), "persimmon-kernel-test-"));
    const connection = await connectionInfo();
    const file = join(folder, "connection.json");
    writeFileSync(file, JSON.stringify(connection));
    const env = { ...process.env, PERSIMMON_KERNEL_HISTORY: join(folder, "history.jsonl") };
    const argv = ["--no-force-async-hooks-checks", main, file];
    const child = spawn(process.execPath, argv, { cwd: folder, env, stdio: "ignore", detached: true });
    const kernel = new TestKernel(child, folder, connection);
    // The welcome says from when on no message of iopub is missed.
    await kernel.wait((m) => m.header.msg_type === "iopub_welcome");
    await kernel.request("shell", "kernel_info_request", {});
    return kernel;
  }

  /** Sends a message; its id. */
  async send(
    channel: "shell" | "control" | "stdin",
    type: string,
    content: Record<string, unknown>,
    buffers: Uint8Array[] = [],
  ): Promise<string> {
    const message = this.wire.create(type, content, { buffers });
    await this[channel].send(this.wire.encode(message));
    return message.header.msg_id;
  }

  /** Sends a request and waits for its reply; the reply's content. */
  async request(channel: "shell" | "control", type: string, content: Record<string, unknown>): Promise<Data> {
    const id = await this.send(channel, type, content);
    return (await this.wait((m) => m.channel === channel && m.parentHeader.msg_id === id)).content;
  }

  /** Sends a cell without waiting for it; its id. */
  submit(code: string, options: Record<string, unknown> = {}): Promise<string> {
    const defaults = {
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    };
    return this.send("shell", "execute_request", { code, ...defaults, ...options });
  }

  /** Waits until a cell has been answered and is idle. */
  async finished(id: string): Promise<Execution> {
    const reply = await this.wait((m) => m.channel === "shell" && m.parentHeader.msg_id === id);
    await this.wait(
      (m) => m.channel === "iopub" && m.parentHeader.msg_id === id && m.content.execution_state === "idle",
    );
    const published = this.received.filter((m) => m.channel === "iopub" && m.parentHeader.msg_id === id);
    return { id, reply: reply.content, published };
  }

  async execute(code: string, options: Record<string, unknown> = {}): Promise<Execution> {
    return this.finished(await this.submit(code, options));
  }

  /** Runs a cell that must succeed; the text of its result. */
  async evaluate(code: string): Promise<string | undefined> {
    const { reply, published } = await this.execute(code);
    if (reply.status !== "ok") throw new Error(`${code}\n${reply.traceback?.join("\n")}`);
    return dataOf(published, "execute_result")?.["text/plain"];
  }

  /** Waits for a message, among those that came and those to come. */
  wait(matches: (message: Received) => boolean): Promise<Received> {
    const found = this.received.find(matches);
    if (found) return Promise.resolve(found);
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        fail(new Error(`no such message within ${WAIT_MS} ms`));
      }, WAIT_MS);
      const watch = () => {
        const message = this.received.find(matches);
        if (!message) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        done(message);
      };
      this.#watchers.add(watch);
    });
  }

  async stop(): Promise<void> {
    for (const socket of [this.shell, this.control, this.stdin, this.iopub, this.heartbeat]) socket.close();
    this.process.kill("SIGKILL");
    await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #read(channel: "shell" | "control" | "stdin" | "iopub"): Promise<void> {
    try {
      for await (const frames of this[channel]) {
        const message = this.wire.decode(frames);
        if (!message) continue;
        this.received.push({ ...message, channel });
        for (const watcher of [...this.#watchers]) watcher();
      }
    } catch {
      // The socket has been closed.
    }
  }
}

/** The data of the first message of this type. */
export function dataOf(published: Received[], type: string): Data | undefined {
  return published.find((m) => m.header.msg_type === type)?.content.data as Data | undefined;
}

/** All text of a stream. */
export function textOf(published: Received[], name = "stdout"): string {
  const parts = published.filter((m) => m.header.msg_type === "stream" && m.content.name === name);
  return parts.map((m) => m.content.text).join("");
}

/** The types of the messages between busy and idle. */
export function typesOf(published: Received[]): string[] {
  return published.map((m) => m.header.msg_type).filter((type) => type !== "status");
}

async function connectionInfo(): Promise<Data> {
  const names = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"];
  const servers = names.map(() => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((done) => server.once("listening", done))));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  const info = { transport: "tcp", ip: "127.0.0.1", key: randomUUID(), signature_scheme: "hmac-sha256" };
  return { ...info, ...Object.fromEntries(names.map((name, i) => [name, ports[i]])) };
}

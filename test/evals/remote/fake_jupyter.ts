import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ServerConnection } from "@jupyterlab/services";
import { mimeType } from "../../../src/evals/remote/protocol.js";
import { type EvalWorker, openEvalWorker } from "../../../src/evals/remote/worker.js";

// biome-ignore lint/suspicious/noExplicitAny: messages of the protocol have many shapes
type Message = any;

interface Socket {
  on(event: "message", listener: (data: Buffer) => void): void;
  on(event: "close", listener: () => void): void;
  send(data: string): void;
  terminate(): void;
  pause(): void;
}

/** What a test lets a fake server do otherwise than a good one. */
export interface Misbehaviour {
  /** Answers a REST request in the place of the server. @returns whether it did */
  rest?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Changes what a worker shows; undefined drops it. `cell` counts from 0, the first sets up. */
  shown?: (message: Message, cell: number) => unknown;
  /** Takes the place of running a cell, unless it returns "run". */
  cell?: (socket: FakeSocket, cell: number) => unknown;
}

export interface FakeSocket {
  /** Sends any text. */
  raw(text: string): void;
  /** Sends a message as an answer to the cell. */
  publish(msgType: string, content: object, channel?: string): void;
  cut(): void;
  /** Ends the cell. */
  reply(content: object): void;
  /** Stops reading, so that pings are not answered either. */
  freeze(): void;
}

/**
 * A Jupyter server that is none: REST and WebSocket as Jupyter Server has them, with kernels in this process that are real
 * workers. Only one cell runs at a time, since there is only one host object.
 */
export class FakeJupyter {
  readonly token = "secret";
  readonly kernels = new Set<string>();
  readonly requests: string[] = [];
  readonly #http: Server;
  #count = 0;

  private constructor(readonly misbehaviour: Misbehaviour) {
    this.#http = createServer((request, response) => this.#answer(request, response));
    // biome-ignore lint/suspicious/noExplicitAny: in Node this is the class of `ws`, which has the server too
    const { WebSocketServer } = ServerConnection.makeSettings().WebSocket as any;
    const sockets = new WebSocketServer({ noServer: true });
    this.#http.on("upgrade", (request, socket, head) => {
      const id = /kernels\/([^/]+)\/channels/.exec(request.url ?? "")?.[1] ?? "";
      if (!this.#isAllowed(request) || !this.kernels.has(id)) {
        socket.destroy();
        return;
      }
      sockets.handleUpgrade(request, socket, head, (one: Socket) => this.#serve(one));
    });
  }

  static async start(misbehaviour: Misbehaviour = {}): Promise<FakeJupyter> {
    const fake = new FakeJupyter(misbehaviour);
    await new Promise<void>((resolve) => fake.#http.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/`;
  }

  stop(): void {
    this.#http.closeAllConnections();
    this.#http.close();
  }

  #isAllowed(request: IncomingMessage): boolean {
    return request.headers.authorization === `token ${this.token}`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? "").replace(/\?.*/, "");
    this.requests.push(`${request.method} ${path}`);
    if (this.misbehaviour.rest?.(request, response)) return;
    const [status, body] = this.#isAllowed(request)
      ? this.#resultOf(request.method, path)
      : [403, { message: "Forbidden" }];
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(body && JSON.stringify(body));
  }

  #resultOf(method: string | undefined, path: string): [status: number, body?: object] {
    if (path === "/api/kernelspecs") {
      const specs = {
        default: "persimmon",
        kernelspecs: {
          persimmon: { name: "persimmon", spec: { language: "typescript" } },
          python3: { name: "python3", spec: { language: "python" } },
        },
      };
      return [200, specs];
    }
    if (path === "/api/kernels" && method === "POST") {
      const id = `kernel-${this.#count++}`;
      this.kernels.add(id);
      return [201, { id, name: "persimmon" }];
    }
    const id = /^\/api\/kernels\/([^/]+)$/.exec(path)?.[1] ?? "";
    if (!this.kernels.has(id)) return [404, { message: "no such kernel" }];
    if (method === "DELETE") {
      this.kernels.delete(id);
      return [204];
    }
    return [200, { id, execution_state: "busy" }];
  }

  #serve(socket: Socket): void {
    let worker: EvalWorker | undefined;
    let cells = 0;
    let queue = Promise.resolve();
    socket.on("message", (data) => {
      const request = JSON.parse(data.toString("utf8"));
      const publish = (msgType: string, content: object, channel = "iopub") =>
        socket.send(
          JSON.stringify({
            channel,
            header: { msg_type: msgType },
            parent_header: request.header,
            metadata: {},
            content,
          }),
        );
      const reply = (content: object) => {
        publish(request.header.msg_type.replace("_request", "_reply"), content, "shell");
        publish("status", { execution_state: "idle" });
      };
      if (request.header.msg_type === "kernel_info_request") {
        reply({ status: "ok" });
        return;
      }
      const cell = cells++;
      const { misbehaviour } = this;
      const tools: FakeSocket = {
        raw: (text) => socket.send(text),
        publish,
        cut: () => socket.terminate(),
        reply,
        freeze: () => socket.pause(),
      };
      if (misbehaviour.cell !== undefined && misbehaviour.cell(tools, cell) !== "run") return;
      const literal = /JSON\.parse\((".*")\)\)/.exec(request.content.code)?.[1] ?? '"null"';
      const argument = JSON.parse(JSON.parse(literal));
      queue = queue.then(() =>
        withHost(
          (bundle) => {
            const { shown = (message) => message } = misbehaviour;
            const message = shown(bundle[mimeType], cell);
            if (message !== undefined)
              publish("display_data", { data: { [mimeType]: message }, metadata: {} });
          },
          async () => {
            if (request.content.code.includes("openEvalWorker")) worker = await openEvalWorker(argument);
            else await worker?.answer(argument);
            reply({ status: "ok" });
          },
        ),
      );
    });
  }
}

let turn = Promise.resolve();

/** Runs `work` as a cell, alone. */
async function withHost(
  display: (bundle: Record<string, unknown>) => void,
  work: () => Promise<void>,
): Promise<void> {
  const before = turn;
  let end: () => void = () => {};
  turn = new Promise((resolve) => {
    end = resolve;
  });
  await before;
  const place = globalThis as Record<symbol, unknown>;
  const host = Symbol.for("Jupyter.host");
  place[host] = { display, clearOutput: () => {}, signal: new AbortController().signal };
  try {
    await work();
  } finally {
    delete place[host];
    end();
  }
}

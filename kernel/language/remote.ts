import { createServer, type Server, type Socket } from "node:net";
import type { CrashWatchData } from "../crash/watch.js";
import type { Header } from "../protocol/message.js";
import type { CompileResult, Completeness, Completion, Inspection, LanguageEngine } from "./engine.js";
import { JsonConnection } from "./json_connection.js";

interface Waiting {
  resolve(value: never): void;
  reject(error: Error): void;
}

/**
 * The language engine in its own process, seen from the server thread, which waits for it on a socket. Requests made
 * before it has connected are kept. When it dies (a type that takes all memory), the request it was working on fails,
 * and a new one is started that compiles the cells so far again.
 */
export class RemoteLanguage implements LanguageEngine {
  readonly #restart: (withSnapshot: boolean) => void;
  readonly #server: Server;
  readonly #waiting = new Map<number, Waiting>();
  /** Cells to compile again when the process has to be replaced. */
  readonly #cells: { code: string; label: string }[] = [];
  #connection: JsonConnection | undefined;
  #watched: CrashWatchData | undefined;
  #unsent: unknown[] = [];
  #count = 0;
  #hasConnected = false;
  #closed = false;

  /**
   * @param socket the path to listen on
   * @param restart starts a new process; without its snapshot when that may be why the one before ended
   */
  constructor(socket: string, restart: (withSnapshot: boolean) => void) {
    this.#restart = restart;
    this.#server = createServer((stream) => this.#connect(stream));
    this.#server.listen(socket);
  }

  async compile(code: string, label: string): Promise<CompileResult> {
    const result = await this.#call<CompileResult>("compile", code, label);
    if (result.ok) this.#cells.push({ code, label });
    return result;
  }

  compileExpression(code: string): Promise<CompileResult> {
    return this.#call("compileExpression", code);
  }

  complete(code: string, position: number): Promise<Completion> {
    return this.#call("complete", code, position);
  }

  inspect(code: string, position: number, detail: number): Promise<Inspection> {
    return this.#call("inspect", code, position, detail);
  }

  isComplete(code: string): Promise<Completeness> {
    return this.#call("isComplete", code);
  }

  /** Tells the process, which survives the kernel's crash, what to watch; see crash/watch.ts. */
  watch(data: CrashWatchData): void {
    this.#watched = data;
    this.#tell("watch", data);
  }

  /** The request whose cell runs now, or null when none does. */
  running(header: Header | null): void {
    this.#tell("running", header);
  }

  /** Native code has printed this on descriptor 2; if it was its last, the process can still show it. */
  printed(text: string): void {
    this.#tell("printed", text);
  }

  /** The first process has ended: if it never connected, perhaps its snapshot cannot be used; if it did, `#lost` knows. */
  exited(): void {
    if (!this.#hasConnected && !this.#closed) this.#restart(false);
  }

  /** The kernel ends because it was asked to. */
  close(): void {
    this.#closed = true;
    this.#tell("ending");
    this.#server.close();
  }

  #connect(stream: Socket): void {
    this.#hasConnected = true;
    stream.on("error", () => {}); // "close" follows
    stream.on("close", () => this.#lost());
    this.#connection = new JsonConnection(stream, (message: { id: number; value: never; error?: string }) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) waiting?.resolve(message.value);
      else waiting?.reject(new Error(message.error));
    });
    for (const request of this.#unsent.splice(0)) this.#connection.send(request);
  }

  #lost(): void {
    this.#connection = undefined;
    if (this.#closed) return;
    const error = new Error(
      "The process that compiles cells has ended unexpectedly. It has been started again, and knows what earlier cells " +
        "declared; run this cell again.",
    );
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#restart(true);
    if (this.#watched) this.#tell("watch", this.#watched);
    if (this.#cells.length > 0) {
      const cells = this.#cells;
      this.#call("replay", cells, this.#count).catch(() => {});
    }
  }

  #tell(method: string, ...parameters: unknown[]): void {
    this.#send({ method, parameters });
  }

  #send(request: unknown): void {
    if (this.#connection) this.#connection.send(request);
    else this.#unsent.push(request);
  }

  #call<T>(method: string, ...parameters: unknown[]): Promise<T> {
    const id = this.#count++;
    this.#send({ id, method, parameters });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }
}

import { dirname } from "node:path";
import { setImmediate, setTimeout } from "node:timers";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";
import type { MessagePort } from "node:worker_threads";
import { bundleOf } from "../display/bundle.js";
import type { DisplaySink } from "../display/display.js";
import type { CompiledCell } from "../language/engine.js";
import type { StreamName } from "../server/stream_batch.js";
import {
  type CellOutcome,
  type CellRequest,
  type ErrorContent,
  type ExpressionOutcome,
  SHARED,
  type ToMain,
  type ToServer,
} from "../threads.js";
import { Awaits } from "./awaits.js";
import { captureChildren } from "./children.js";
import { Comms } from "./comms.js";
import { redirectDescriptorWrites } from "./descriptors.js";
import { errorContent, SystemExit } from "./errors.js";
import { stackOf } from "./frames.js";
import { installGlobals } from "./globals.js";
import { Guard } from "./guard.js";
import { Input } from "./input.js";
import { InterruptFlag, isInterrupt, KeyboardInterrupt } from "./interrupts.js";
import { LocalFiles } from "./local_files.js";
import { Modules } from "./modules.js";
import { redirectOutput } from "./output.js";
import { plain } from "./plain.js";
import { attributePromises } from "./promises.js";
import { Scripts } from "./stack.js";
import { Task, Tasks } from "./tasks.js";
import { wrapTimers } from "./timers.js";
import { createTslab } from "./tslab.js";
import { captureWorkers } from "./workers.js";

// A stopped cell may use this time to end by itself, with its finally blocks; then it is declared ended.
const GRACE_MS = 30;
// The server answers within a millisecond; whatever keeps it, a cell does not wait longer than this.
const SETTLE_MS = 1000;
const WRAPPER = "(async function cellBody(exports, require, module, __filename, __dirname, __k) {";

/** Runs compiled cells on the main thread, and is all that user code sees of the kernel. */
export class Session {
  readonly #send: (message: ToServer) => void;
  readonly #flag: InterruptFlag;
  readonly #guard: Guard;
  readonly #tasks = new Tasks();
  readonly #scripts = new Scripts();
  readonly #awaits = new Awaits(this.#scripts);
  readonly #modules: Modules;
  readonly #input: Input;
  readonly #comms: Comms;
  /** The declarations of all cells: the `exports` of each, and what each requires of the others. */
  readonly #store: Record<string, unknown> = {};
  readonly #hooks: Record<string, unknown>;
  readonly #exit = process.exit.bind(process);
  #abort = new AbortController();
  #stopForeground: (() => void) | undefined;
  #result: { value: unknown } | undefined;
  #displays: Promise<void>[] = [];

  /**
   * @param packageRoot the package that the kernel belongs to
   * @param send to the server thread
   */
  constructor(
    packageRoot: string,
    shared: Int32Array,
    promptPort: MessagePort,
    send: (message: ToServer) => void,
  ) {
    this.#send = send;
    this.#flag = new InterruptFlag(shared);
    this.#guard = new Guard(shared);
    const parent = () => this.#tasks.parent;
    this.#input = new Input(send, parent, this.#flag, promptPort);
    this.#comms = new Comms(send, parent);
    const sink = this.#sink();
    this.#modules = new Modules(
      packageRoot,
      new Map([["tslab", createTslab(sink)]]),
      this.#store,
      async (module, { exports, require, module: cjsModule }) => {
        const { file, code, map, source } = module;
        this.#scripts.register(file, { label: file, map, source, insertions: [] });
        await this.#evaluate(file, code, exports, require, cjsModule);
      },
      new LocalFiles(),
    );
    this.#hooks = this.#createHooks(shared);
    const write = (name: StreamName, text: string) =>
      send({ type: "stream", name, text, parent: this.#tasks.parent });
    redirectOutput(write);
    redirectDescriptorWrites();
    captureChildren(this.#tasks, write, () => {
      const settled = Atomics.load(shared, SHARED.settled);
      send({ type: "settle" });
      Atomics.wait(shared, SHARED.settled, settled, SETTLE_MS);
    });
    this.#scripts.install();
    captureWorkers(this.#tasks, write);
    attributePromises(this.#tasks);
    wrapTimers(this.#guard, this.#tasks, (error, parent) => this.#reportStray(error, parent));
    installGlobals(sink, this.#input, this.#comms, () => this.#abort.signal);
    process.exit = ((code?: unknown) => {
      throw new SystemExit(code);
    }) as typeof process.exit;
    // A handler keeps SIGINT from ending the process when it arrives outside of a guarded script.
    process.on("SIGINT", () => this.#guard.answered());
    process.on("uncaughtException", (error) => this.#reportStray(error));
    process.on("unhandledRejection", (error) => this.#reportStray(error));
  }

  /** Handles a message of the server thread. */
  receive(message: ToMain): void {
    switch (message.type) {
      case "execute":
        void this.#execute(message.request);
        break;
      case "interrupt":
        this.#interrupt(message.number);
        break;
      case "inputReply":
        this.#input.answer(message.value);
        break;
      case "comm":
        void this.#receiveComm(message);
        break;
      case "exit":
        this.#exit(0);
        break;
      case "opened":
      case "wake":
        break; // arriving is all that they are for
    }
  }

  async #execute(request: CellRequest): Promise<void> {
    const outcome = await this.#run(request);
    // Node tells of rejections that nobody handles when the microtasks are through; that belongs before the cell's end.
    await new Promise<void>((resolve) => setImmediate(resolve));
    try {
      this.#send({ type: "done", id: request.id, outcome });
    } catch (error) {
      // Something in the result cannot be copied to another thread.
      this.#send({
        type: "done",
        id: request.id,
        outcome: { status: "error", error: this.#describe(error) },
      });
    }
  }

  async #run({ id, cell, expressions, allowStdin }: CellRequest): Promise<CellOutcome> {
    this.#flag.dropHandled();
    this.#guard.takeLateSignal();
    const task = new Task(id);
    const tasks = this.#tasks;
    tasks.foreground = tasks.current = task;
    tasks.lastParent = id;
    this.#abort = new AbortController();
    this.#input.client = { cell: id, allowed: allowStdin };
    this.#displays = [];
    const stopped = new Promise<void>((resolve) => {
      this.#stopForeground = resolve;
    });
    let outcome: CellOutcome;
    try {
      const work = this.#body(task, cell, expressions);
      const grace = stopped.then(
        () => new Promise<never>((_, reject) => setTimeout(() => reject(new KeyboardInterrupt()), GRACE_MS)),
      );
      work.catch(() => {});
      outcome = await Promise.race([work, grace]);
      if (task.dead) throw new KeyboardInterrupt();
    } catch (error) {
      // A child process that ends by the signal is sometimes faster than the end of the script that waits for it.
      const interrupted = task.dead || isInterrupt(error) || this.#guard.signalled;
      if (interrupted) this.#abort.abort(new KeyboardInterrupt());
      outcome = { status: "error", error: this.#describe(interrupted ? new KeyboardInterrupt() : error) };
      if (interrupted) task.dead = true;
      if (interrupted) this.#flag.take();
    }
    this.#input.cancel();
    this.#input.client = undefined;
    this.#stopForeground = undefined;
    tasks.foreground = tasks.current = undefined;
    return outcome;
  }

  async #body(task: Task, cell: CompiledCell, expressions: CellRequest["expressions"]): Promise<CellOutcome> {
    const value = await this.#runCell(task, cell);
    await Promise.all(this.#displays);
    // Ticks and promise callbacks that the cell has left behind still belong to it.
    await new Promise((resolve) => setImmediate(resolve));
    const result = value?.value === undefined ? undefined : await bundleOf(value.value);
    const evaluated: Record<string, ExpressionOutcome> = {};
    for (const [name, expression] of Object.entries(expressions)) {
      evaluated[name] = await this.#evaluateExpression(task, expression);
    }
    return { status: "ok", ...(result && { result }), expressions: evaluated };
  }

  async #runCell(task: Task, cell: CompiledCell): Promise<{ value: unknown } | undefined> {
    const { file, label, map, source, insertions, code } = cell;
    this.#scripts.register(file, { label, map, source, insertions, parent: task.parent });
    const folder = dirname(file);
    this.#result = undefined;
    for (const warning of cell.warnings) {
      this.#send({ type: "stream", name: "stderr", text: `${warning}\n`, parent: task.parent });
    }
    await this.#modules.preload(cell.imports, cell.localModules, folder, (error, { offset }) =>
      this.#awaits.record(error, task, this.#scripts.get(file)!, offset),
    );
    this.#tasks.current = task;
    if (task.dead) throw new KeyboardInterrupt();
    await this.#evaluate(file, code, this.#store, this.#modules.requireFor(folder), { exports: this.#store });
    return this.#result;
  }

  async #evaluateExpression(task: Task, expression: CompiledCell | ErrorContent): Promise<ExpressionOutcome> {
    if ("ename" in expression) return { status: "error", ...expression };
    try {
      const result = await this.#runCell(task, expression);
      return { status: "ok", ...(await bundleOf(result?.value)) };
    } catch (error) {
      if (isInterrupt(error)) throw error;
      return { status: "error", ...this.#describe(error) };
    }
  }

  #evaluate(
    file: string,
    code: string,
    exports: object,
    require: NodeJS.Require,
    module: object,
  ): Promise<void> {
    return this.#guard.run(() => {
      const script = new Script(`${WRAPPER}${code}\n})`, { filename: file, columnOffset: -WRAPPER.length });
      const body = script.runInThisContext() as (...parameters: unknown[]) => Promise<void>;
      return body.call(undefined, exports, require, module, file, dirname(file), this.#hooksOf(file));
    });
  }

  /** The hooks for the code of one script, which tells by an offset where it awaits. */
  #hooksOf(file: string): Record<string, unknown> {
    const script = this.#scripts.get(file)!;
    const record = (offset: number) => (error: unknown, task: Task) =>
      this.#awaits.record(error, task, script, offset);
    return {
      ...this.#hooks,
      a: (value: unknown, offset: number) => this.#tasks.before(value, record(offset)),
      i: (iterable: never, offset: number) => this.#tasks.iterate(iterable, record(offset)),
    };
  }

  /** What compiled code calls as `__k`; see language/instrument.ts. */
  #createHooks(shared: Int32Array): Record<string, unknown> {
    const tasks = this.#tasks;
    return {
      f: shared,
      r: (resumed: never) => tasks.after(resumed),
      v: (value: unknown) => {
        this.#result = { value };
      },
      d: (name: string, get: () => unknown) => this.#define(name, get),
      stop: () => {
        if (tasks.current) tasks.current.dead = true;
        throw new KeyboardInterrupt();
      },
      import: (specifier: string, second: unknown, third?: unknown) =>
        this.#modules.import(String(specifier), String(third ?? second)),
      meta: (file: string) => ({
        url: pathToFileURL(file).href,
        filename: file,
        dirname: dirname(file),
        resolve: (specifier: string) =>
          pathToFileURL(this.#modules.requireFor(dirname(file)).resolve(specifier)).href,
      }),
    };
  }

  /** An imported name: a live binding until a cell declares the name anew. */
  #define(name: string, get: () => unknown): void {
    const set = (value: unknown) =>
      Object.defineProperty(this.#store, name, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    Object.defineProperty(this.#store, name, { get, set, enumerable: true, configurable: true });
  }

  #interrupt(number: number): void {
    if (this.#flag.isNew(number)) {
      const foreground = this.#tasks.foreground;
      this.#abort.abort(new KeyboardInterrupt());
      this.#tasks.stop(foreground?.parent);
      this.#input.cancel();
      if (foreground) this.#stopForeground?.();
      else setImmediate(() => this.#flag.take());
    }
    this.#flag.handled(number);
    this.#send({ type: "interruptTaken", number });
  }

  async #receiveComm({
    id,
    kind,
    content,
    metadata,
    buffers,
  }: Extract<ToMain, { type: "comm" }>): Promise<void> {
    try {
      await this.#tasks.as(new Task(id), () =>
        this.#guard.run(() => this.#comms.receive(kind, content, metadata, buffers)),
      );
    } catch (error) {
      this.#reportStray(error, id);
    }
    this.#send({ type: "commDone", id });
  }

  #sink(): DisplaySink {
    return {
      show: ({ data, metadata }, { id, update }) => {
        const messageType = update ? "update_display_data" : "display_data";
        const content = { data, metadata, transient: id === undefined ? {} : { display_id: id } };
        this.#send({ type: "publish", messageType, content: plain(content), parent: this.#tasks.parent });
      },
      clear: (wait) =>
        this.#send({
          type: "publish",
          messageType: "clear_output",
          content: { wait },
          parent: this.#tasks.parent,
        }),
      await: (work) => {
        this.#displays.push(work);
      },
    };
  }

  /** Shows an exception that no cell waits for, on stderr of the cell whose code threw it. */
  #reportStray(error: unknown, parent = this.#parentOf(error)): void {
    if (isInterrupt(error) && !this.#tasks.foreground) this.#flag.take();
    const { traceback } = this.#describe(error);
    this.#send({ type: "stream", name: "stderr", text: `${traceback.join("\n")}\n`, parent });
  }

  #parentOf(error: unknown): string {
    const label = /[( ](Cell \d+):\d+:\d+\)?$/m.exec(stackOf(error))?.[1];
    const script = label === undefined ? undefined : this.#scripts.byLabel(label);
    return script?.parent ?? this.#awaits.parentOf(error) ?? this.#tasks.parent;
  }

  #describe(error: unknown): ErrorContent {
    return errorContent(error, {
      line: (label, line) => this.#scripts.byLabel(label)?.source.split("\n")[line - 1],
      awaits: (error) => this.#awaits.of(error),
    });
  }
}

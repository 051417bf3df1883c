import type { CompileResult, LanguageEngine } from "../language/engine.js";
import type { Message } from "../protocol/message.js";
import type { CellOutcome, CellRequest, ErrorContent } from "../threads.js";
import { answerTo } from "./help_question.js";
import type { History } from "./history.js";
import type { Publisher } from "./iopub.js";
import type { CellRunner } from "./runner.js";

/** Answers a request; the content of the reply. */
export type Reply = (
  type: string,
  content: Record<string, unknown>,
  metadata?: Record<string, unknown>,
) => void;

interface Queued {
  request: Message;
  reply: Reply;
}

/** Runs execute_requests one after the other. */
export class Execution {
  readonly #queue: Queued[] = [];
  #running = false;
  #count = 0;
  #current: string | undefined;
  #compiling = false;
  #interrupted = false;
  /** Resolves when the cell that is being compiled has been handed to the main thread. */
  begun: Promise<void> = Promise.resolve();
  #begin: () => void = () => {};

  constructor(
    readonly language: LanguageEngine,
    readonly runner: CellRunner,
    readonly publisher: Publisher,
    readonly history: History,
  ) {}

  push(request: Message, reply: Reply): void {
    this.#queue.push({ request, reply });
    if (!this.#running) void this.#work();
  }

  /** The id of the request that is being executed. */
  get current(): string | undefined {
    return this.#current;
  }

  /** The user interrupts: a cell that is still being compiled will not run. */
  interrupt(): void {
    if (this.#compiling) this.#interrupted = true;
  }

  async #work(): Promise<void> {
    this.#running = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const id = next.request.header.msg_id;
      this.publisher.status("busy", id);
      this.#current = id;
      const aborted = await this.#execute(next);
      this.#current = undefined;
      this.publisher.status("idle", id);
      for (const waiting of aborted) this.#abort(waiting);
    }
    this.#running = false;
  }

  #abort({ request, reply }: Queued): void {
    const id = request.header.msg_id;
    this.publisher.status("busy", id);
    reply("execute_reply", { status: "aborted", execution_count: this.#count });
    this.publisher.status("idle", id);
  }

  /** Runs one request; the requests that are to be aborted because it failed. */
  async #execute({ request, reply }: Queued): Promise<Queued[]> {
    const { content, header } = request;
    const id = header.msg_id;
    const started = new Date().toISOString();
    const code = typeof content.code === "string" ? content.code : "";
    const silent = content.silent === true;
    const counted = !silent && content.store_history !== false && code.trim() !== "";
    if (counted) this.history.add(++this.#count, code);
    const execution_count = this.#count;
    if (!silent) this.publisher.publish("execute_input", { code, execution_count }, id);

    const outcome = await this.#outcomeOf(request, code, `Cell ${execution_count}`);
    const metadata = { started, status: outcome.status, dependencies_met: true };
    this.publisher.flush();
    if (outcome.status === "error") {
      if (!silent) this.publisher.publish("error", { ...outcome.error }, id);
      const content = {
        status: "error",
        execution_count,
        ...outcome.error,
        user_expressions: {},
        payload: [],
      };
      // What lies in the sockets by now was sent before the error was known, and is aborted. What is sent once the reply
      // has been read is not, however soon it comes: so they are told apart before the reply.
      await new Promise((resolve) => setImmediate(resolve));
      const aborted = request.content.stop_on_error === false ? [] : this.#queue.splice(0);
      reply("execute_reply", content, metadata);
      return aborted;
    }
    if (outcome.result && !silent) {
      const { data, metadata } = outcome.result;
      if (counted) this.history.addOutput(execution_count, String(data["text/plain"] ?? ""));
      this.publisher.publish("execute_result", { execution_count, data, metadata }, id);
    }
    const { expressions } = outcome;
    const payload = outcome.page ? [{ source: "page", data: outcome.page, start: 0 }] : [];
    const answer = { status: "ok", execution_count, user_expressions: expressions, payload };
    reply("execute_reply", answer, metadata);
    return [];
  }

  async #outcomeOf({ content, header }: Message, code: string, label: string): Promise<CellOutcome> {
    if (typeof content.code !== "string") return { status: "error", error: notText(content.code) };
    this.#compiling = true;
    this.#interrupted = false;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    try {
      const help = await answerTo(code, this.language);
      if (help) return { status: "ok", expressions: {}, page: help.data };
      const compiled = await this.language.compile(code, label);
      if (!compiled.ok) return { status: "error", error: compiled.error };
      const expressions: CellRequest["expressions"] = {};
      for (const [name, source] of expressionsOf(content)) {
        expressions[name] = cellOrError(await this.language.compileExpression(String(source)));
      }
      if (this.#interrupted) return interruptedOutcome();
      this.#compiling = false;
      const allowStdin = content.allow_stdin === true;
      const outcome = this.runner.run({ id: header.msg_id, cell: compiled.cell, expressions, allowStdin });
      this.#begin();
      return await outcome;
    } catch (error) {
      return { status: "error", error: internalError(error) };
    } finally {
      this.#compiling = false;
      this.#begin();
    }
  }
}

function expressionsOf({ user_expressions }: Message["content"]): [string, unknown][] {
  return typeof user_expressions === "object" ? Object.entries(user_expressions ?? {}) : [];
}

function notText(code: unknown): ErrorContent {
  const evalue = `Expected text as code, found ${code === null ? "null" : typeof code}.`;
  return { ename: "TypeError", evalue, traceback: [`TypeError: ${evalue}`] };
}

function cellOrError(result: CompileResult): CellRequest["expressions"][string] {
  return result.ok ? result.cell : result.error;
}

function interruptedOutcome(): CellOutcome {
  const evalue = "The execution was interrupted before it began.";
  return {
    status: "error",
    error: { ename: "KeyboardInterrupt", evalue, traceback: [`KeyboardInterrupt: ${evalue}`] },
  };
}

function internalError(error: unknown): ErrorContent {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { ename: "KernelError", evalue: text.split("\n")[0]!, traceback: text.split("\n") };
}

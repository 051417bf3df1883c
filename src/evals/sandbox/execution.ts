import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { PersimmonError } from "../../errors.js";
import { infoDescriptor, resultDescriptor } from "./command.js";
import { endGroup, endNamespace, namespaceInit } from "./process_end.js";
import { longestResult, type ProgramStatus, type ResultState, readResult } from "./verdict.js";

/** One program to be run. */
export interface Execution {
  /** The interpreter with everything around it. */
  command: readonly string[];
  /** Environment of the command. */
  env: Readonly<Record<string, string>>;
  /** Folder to start in. */
  cwd: string;
  program: string;
  cpuSeconds: number;
  wallSeconds: number;
  signal: AbortSignal;
  /** Keep what the command says on stderr before the program begins, for an error message. */
  keepErrors?: boolean;
}

/** How it went; `notStarted` is why the program was never begun, which says nothing about it. */
export type Outcome =
  | { status: ProgramStatus; detail: string; ms: number }
  | { status: "interrupted" }
  | { status: "notStarted"; detail: string };

type StopReason = "verdict" | "forged" | "wall" | "interrupted";

/** Longest text of stderr that is kept. */
const longestErrors = 4096;

/** How long an end may take before harder means, and how long a pipe may stay open after it; milliseconds. */
const grace = 1000;

/** Runs one program to its end. When this resolves, its processes are dead or have been sent SIGKILL. */
export async function execute(execution: Execution): Promise<Outcome> {
  if (execution.signal.aborted) return { status: "interrupted" };
  const { command, cwd, env, keepErrors } = execution;
  let child: ChildProcess;
  try {
    child = spawn(command[0], command.slice(1), {
      cwd,
      env,
      // A session and a group of its own, so that all of it can be ended at once.
      detached: true,
      stdio: ["pipe", "ignore", keepErrors ? "pipe" : "ignore", "pipe", "pipe"],
    });
  } catch (error) {
    return { status: "notStarted", detail: (error as Error).message };
  }
  return new Run(child, execution).outcome;
}

class Run {
  readonly outcome: Promise<Outcome>;
  private readonly nonce = randomBytes(16).toString("hex");
  private readonly startedAt = performance.now();
  private readonly timers: NodeJS.Timeout[] = [];
  private result: Buffer = Buffer.alloc(0);
  private info = "";
  private errors = "";
  private state: ResultState = { kind: "waiting" };
  private stopped?: StopReason;
  private stoppedAt?: number;
  private resolve!: (outcome: Outcome) => void;

  constructor(
    private readonly child: ChildProcess,
    private readonly execution: Execution,
  ) {
    this.outcome = new Promise((resolve) => {
      this.resolve = resolve;
    });
    child.once("error", (error) => this.finish({ status: "notStarted", detail: error.message }));
    if (child.pid === undefined) return; // the error event follows
    child.once("exit", (code, signal) => void this.exited(code, signal));
    this.readStreams();
    this.later(execution.wallSeconds * 1000, () => this.stop("wall"));
    execution.signal.addEventListener("abort", this.onAbort);
  }

  private readonly onAbort = () => this.stop("interrupted");

  private stream(descriptor: number): Readable {
    return this.child.stdio[descriptor] as Readable;
  }

  private readStreams(): void {
    const input = this.child.stdin as Writable;
    // A program that is ended early breaks its pipes, which is no failure of ours.
    for (const stream of this.child.stdio) stream?.on("error", () => {});
    const program = Buffer.from(this.execution.program, "utf16le");
    input.write(`${this.nonce} ${program.length}\n`);
    this.stream(resultDescriptor).on("data", (bytes: Buffer) => this.read(bytes, () => input.end(program)));
    this.stream(infoDescriptor).on("data", (bytes: Buffer) => {
      this.info = (this.info + bytes.toString("latin1")).slice(0, longestErrors);
      if (this.stopped !== undefined) this.end();
    });
    this.child.stderr?.on("data", (bytes: Buffer) => {
      this.errors = (this.errors + bytes.toString("utf8")).slice(0, longestErrors);
    });
  }

  /**
   * What was written to the result pipe. The program is sent only after the first line: by then the sandbox is complete and
   * dies with this process, whatever happens to it.
   */
  private read(bytes: Buffer, send: () => void): void {
    if (this.state.kind === "verdict" || this.state.kind === "forged") return;
    // A program can write without end; what is kept of it has one.
    this.result = Buffer.concat([this.result, bytes.subarray(0, longestResult + 1)]);
    const earlier = this.state.kind;
    const state = readResult(this.result, this.nonce);
    this.state = state;
    if (earlier === "waiting" && state.kind === "started") send();
    if (state.kind === "verdict" || state.kind === "forged") this.stop(state.kind);
  }

  private stop(reason: StopReason): void {
    if (this.stopped !== undefined) return;
    this.stopped = reason;
    this.stoppedAt = performance.now();
    this.end();
    this.later(grace, () => endGroup(this.child));
  }

  /**
   * Ends the first process of the sandbox, with which all others in it die; bubblewrap outside then ends by itself and takes
   * the ended process off the list, which otherwise stays there as a zombie until the init of the machine looks after it.
   * Until bubblewrap has said which one it is, there is nothing of the program to end.
   */
  private end(): void {
    if (this.usesBubblewrap()) {
      const init = namespaceInit(this.info);
      if (init !== undefined) endNamespace(this.child, init);
    } else {
      endGroup(this.child);
    }
  }

  private usesBubblewrap(): boolean {
    return this.execution.command.includes("--info-fd");
  }

  private async exited(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    const ms = Math.round((this.stoppedAt ?? performance.now()) - this.startedAt);
    // What was started beside it, without a sandbox; in one, nothing is left.
    endGroup(this.child);
    // The last bytes can still be in the pipe; a process that got away can hold it open.
    if (this.stopped === undefined) await this.drained();
    this.finish(this.judge(code, signal, ms));
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const streams = [this.stream(resultDescriptor), this.child.stderr].filter((stream) => stream != null);
      let open = streams.length;
      const one = () => {
        open -= 1;
        if (open === 0) resolve();
      };
      for (const stream of streams)
        stream.readableEnded || stream.destroyed ? one() : stream.once("close", one);
      this.later(grace, resolve);
    });
  }

  private judge(code: number | null, signal: NodeJS.Signals | null, ms: number): Outcome {
    const { cpuSeconds, wallSeconds } = this.execution;
    if (this.stopped === "interrupted") return { status: "interrupted" };
    if (this.state.kind === "verdict") return { status: this.state.status, detail: this.state.detail, ms };
    if (this.state.kind === "waiting") {
      const how = this.stopped === "wall" ? `nothing happened for ${wallSeconds} s` : ended(code, signal);
      return { status: "notStarted", detail: this.errors.trim() || how };
    }
    if (this.stopped === "wall") {
      return { status: "timeout", detail: `not done after ${wallSeconds} s on the clock`, ms };
    }
    if (this.stopped === "forged") {
      return { status: "crashed", detail: "the program wrote to the pipe of its own verdict", ms };
    }
    const number = signalNumber(code, signal);
    if (
      number === constants.signals.SIGXCPU ||
      (number === constants.signals.SIGKILL && ms >= cpuSeconds * 1000)
    ) {
      return { status: "timeout", detail: `used its ${cpuSeconds} s of CPU time`, ms };
    }
    return { status: "crashed", detail: `${ended(code, signal)}, without a verdict`, ms };
  }

  private later(milliseconds: number, action: () => void): void {
    this.timers.push(setTimeout(action, milliseconds));
  }

  private finish(outcome: Outcome): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.execution.signal.removeEventListener("abort", this.onAbort);
    // There are no streams where the limit of open files was reached.
    for (const stream of this.child.stdio ?? []) stream?.destroy();
    this.resolve(outcome);
  }
}

/** A signal ends a process with 128 more than its number where another process passes the status on. */
function signalNumber(code: number | null, signal: NodeJS.Signals | null): number | undefined {
  if (signal !== null) return constants.signals[signal];
  return code !== null && code > 128 ? code - 128 : undefined;
}

function ended(code: number | null, signal: NodeJS.Signals | null): string {
  const number = signalNumber(code, signal);
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return name === undefined ? `ended with exit code ${code}` : `ended by ${name}`;
}

/** The error of a program that could not be begun. */
export function notStarted(detail: string): PersimmonError {
  return new PersimmonError(
    "SANDBOX_FAILED",
    `a program could not be started in the sandbox: ${detail}; the limits of this machine on processes, open files or user namespaces may be reached: use a lower concurrency`,
  );
}

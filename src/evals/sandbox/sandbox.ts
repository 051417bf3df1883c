import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { checkOptionNames, PersimmonError } from "../../errors.js";
import { interruptSignal } from "../../host.js";
import { optionChecks } from "../../option_checks.js";
import { sha256Of } from "../../sha256.js";
import { bareCommand, environment, sandboxCommand } from "./command.js";
import { execute, notStarted, type Outcome } from "./execution.js";
import { checkedLimits, invalid, type SandboxLimits } from "./limits.js";
import { probeSandbox } from "./probe.js";
import { findBareTools, findSandboxTools, type Tools } from "./tools.js";
import type { ProgramStatus } from "./verdict.js";

export interface SandboxOptions extends SandboxLimits {
  /**
   * Run programs as processes of yours, with limits on time and memory and nothing else: what a model wrote can read and
   * delete your files and use your network. Warns, and every result says `sandbox: "none"`. Default: false.
   */
  unsafeRunWithoutSandbox?: boolean;
}

export interface SandboxRunOptions {
  signal?: AbortSignal;
}

export interface SandboxRunAllOptions extends SandboxRunOptions {
  /** Programs that run at the same time; as many as there are processors. */
  concurrency?: number;
  /** Called as each program ends, in the order of their ends; one call at a time, and a promise is waited for. */
  onResult?: (result: ProgramResult, index: number) => void | Promise<void>;
}

/** How one program ended. */
export interface ProgramResult {
  /**
   * "passed": run to its end. "failed": an exception, `sys.exit` too. "syntax": it does not compile. "timeout": a limit on
   * time. "crashed": the interpreter ended without a verdict, such as by `os._exit` or a segmentation fault.
   */
  status: ProgramStatus;
  /** The exception, or what else happened, in one line; "" when passed. Made by the program: show it as text. */
  detail: string;
  /** Milliseconds on the clock from the start of the interpreter to the verdict. */
  ms: number;
  /** SHA-256 of the program in UTF-8, in hexadecimal. */
  sha256: string;
  sandbox: SandboxKind;
}

export type SandboxKind = "bubblewrap" | "none";

/**
 * Runs Python that a model wrote, one process for each program, where it reaches neither files nor network nor processes of
 * this machine: bubblewrap (user, mount, pid, network, ipc and uts namespaces) around the limits of setrlimit(2).
 *
 * A program passes when it runs to its end without an exception, as in human-eval (Chen et al. 2021). The verdict is vouched
 * for by a secret that is only in the interpreter around the program. That tells every crash and early exit apart from a
 * pass; a program that searches its own interpreter for the secret could still say that it passed, just as it could
 * return an object that is equal to everything.
 *
 * A program that crashes leaves a zombie to the first process of the machine. In a container that should be an init, which
 * takes it away (`docker run --init`).
 *
 * ```ts
 * const sandbox = await Sandbox.open();
 * const { status, detail } = await sandbox.run("assert 1 + 1 == 3");   // "failed", "AssertionError (line 1)"
 * ```
 */
export class Sandbox {
  readonly kind: SandboxKind;
  /** Path of the interpreter. */
  readonly python: string;
  readonly limits: Readonly<Required<SandboxLimits>>;
  readonly #command: readonly string[];
  readonly #dropsRoot: boolean;

  private constructor(kind: SandboxKind, tools: Tools, limits: Required<SandboxLimits>) {
    this.kind = kind;
    this.python = tools.python;
    this.limits = limits;
    this.#dropsRoot = tools.setpriv !== undefined;
    this.#command = (kind === "bubblewrap" ? sandboxCommand : bareCommand)(tools, limits.cpuSeconds);
  }

  /**
   * Finds bubblewrap and the interpreter and tries, with a program of its own, that the sandbox holds: an untried one could
   * let everything through, or fail every program.
   * @throws PersimmonError SANDBOX_UNAVAILABLE with the reason and what helps; SANDBOX_OPTIONS_INVALID, OPTION_UNKNOWN
   */
  static async open(options: SandboxOptions = {}): Promise<Sandbox> {
    checkOptionNames("Sandbox.open", options, ["cpuSeconds", "wallSeconds", "unsafeRunWithoutSandbox"]);
    const { unsafeRunWithoutSandbox = false } = options;
    if (typeof unsafeRunWithoutSandbox !== "boolean") {
      throw invalid(`unsafeRunWithoutSandbox must be true or false, got ${String(unsafeRunWithoutSandbox)}`);
    }
    const limits = checkedLimits(options);
    const kind = unsafeRunWithoutSandbox ? "none" : "bubblewrap";
    const tools = unsafeRunWithoutSandbox ? findBareTools() : findSandboxTools();
    const sandbox = new Sandbox(kind, tools, limits);
    await probeSandbox(kind, tools, limits.cpuSeconds, (program) =>
      sandbox.#execute(program, interruptSignal(), true),
    );
    if (kind === "none") {
      process.emitWarning(
        "generated programs run WITHOUT a sandbox (unsafeRunWithoutSandbox): they can read and delete your files and use your network",
        { code: "SANDBOX_NONE", type: "PersimmonWarning" },
      );
    }
    return sandbox;
  }

  /**
   * Runs one program. Whatever it does, the promise resolves: at the latest shortly after `wallSeconds`.
   * @throws PersimmonError INTERRUPTED; SANDBOX_FAILED when no process could be started, which says nothing about the program
   */
  async run(program: string, options: SandboxRunOptions = {}): Promise<ProgramResult> {
    checkOptionNames("Sandbox.run", options, ["signal"]);
    if (typeof program !== "string") throw invalid(`a program must be a string, got ${typeof program}`);
    const outcome = await this.#execute(program, interruptSignal(options.signal), false);
    if (outcome.status === "interrupted") {
      throw new PersimmonError("INTERRUPTED", "interrupted while a program ran in the sandbox; it was ended");
    }
    if (outcome.status === "notStarted") throw notStarted(outcome.detail);
    const sha256 = sha256Of(program);
    return { ...outcome, sha256, sandbox: this.kind };
  }

  /**
   * Runs many programs, several at a time, and gives their results in the order of the programs. With many more at a time than
   * processors a program can use up its time on the clock while it waits for one.
   * @throws PersimmonError as `run` does, and what `onResult` throws; the programs that run then are ended first
   */
  async runAll(programs: readonly string[], options: SandboxRunAllOptions = {}): Promise<ProgramResult[]> {
    checkOptionNames("Sandbox.runAll", options, ["concurrency", "onResult", "signal"]);
    const { concurrency = availableParallelism(), onResult } = options;
    optionChecks(invalid).whole("concurrency", concurrency, 1, 1024);
    if (!Array.isArray(programs)) throw invalid(`programs must be a list of strings, got ${typeof programs}`);
    for (const [index, program] of programs.entries()) {
      if (typeof program !== "string")
        throw invalid(`program ${index} must be a string, got ${typeof program}`);
    }
    const stop = new AbortController();
    const signal = interruptSignal(options.signal, stop.signal);
    const results = new Array<ProgramResult>(programs.length);
    const waiting = programs.entries();
    let reported: Promise<void> = Promise.resolve();
    const work = async () => {
      // The workers share the iterator: each program is taken once.
      for (const [index, program] of waiting) {
        const result = await this.run(program, { signal });
        results[index] = result;
        reported = reported.then(() => onResult?.(result, index));
        await reported;
      }
    };
    const workers = Array.from({ length: Math.min(concurrency, programs.length) }, async () => {
      try {
        await work();
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    });
    const ends = await Promise.allSettled(workers);
    const failures = ends.filter((end) => end.status === "rejected").map(({ reason }) => reason);
    // The first cause, not the interruptions that it brought about in the others.
    if (failures.length > 0) throw stop.signal.reason;
    return results;
  }

  async #execute(program: string, signal: AbortSignal, keepErrors: boolean): Promise<Outcome> {
    const about = { command: this.#command, program, signal, keepErrors, ...this.limits };
    if (this.kind === "bubblewrap") return execute({ ...about, env: {}, cwd: "/" });
    let folder: string;
    try {
      folder = mkdtempSync(join(tmpdir(), "persimmon-program-"));
      if (this.#dropsRoot) chownSync(folder, 65534, 65534);
    } catch (error) {
      return { status: "notStarted", detail: (error as Error).message };
    }
    const outcome = await execute({ ...about, env: { ...environment, HOME: folder }, cwd: folder });
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // The program took its own rights to a folder away; that is no reason to lose the result.
    }
    return outcome;
  }
}

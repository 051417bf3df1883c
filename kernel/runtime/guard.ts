import { Script } from "node:vm";
import { SHARED } from "../threads.js";
import { isBrokenScript } from "./interrupts.js";

// How long a script waits for a signal that came too late for the one before.
const LATE_MS = 100;

/**
 * Calls functions so that SIGINT can break them, whatever they do: V8 ends a script that runs with `breakOnSigint`, be
 * it in a loop, a regular expression, JSON.parse or Atomics.wait, and no catch block sees it. A call costs 29 µs. The
 * shared depth counter tells the server thread that the signal will find its script.
 */
export class Guard {
  readonly #shared: Int32Array;
  readonly #script: Script;
  readonly #call = { next: undefined as (() => unknown) | undefined };
  /** How many signals are known to have done their work, or all that had been sent then. */
  #answered = 0;

  constructor(shared: Int32Array) {
    this.#shared = shared;
    const name = "persimmon.kernel.guard";
    Object.defineProperty(globalThis, Symbol.for(name), {
      value: () => this.#call.next!(),
      enumerable: false,
    });
    this.#script = new Script(`globalThis[Symbol.for(${JSON.stringify(name)})]()`, {
      filename: "node:internal/guard",
    });
  }

  /** @throws whatever `work` throws, or an error with the code ERR_SCRIPT_EXECUTION_INTERRUPTED */
  run<T>(work: () => T): T {
    this.#call.next = work;
    Atomics.add(this.#shared, SHARED.guardDepth, 1);
    try {
      return this.#script.runInThisContext({ breakOnSigint: true, displayErrors: false }) as T;
    } catch (error) {
      if (isBrokenScript(error)) this.answered();
      throw error;
    } finally {
      Atomics.sub(this.#shared, SHARED.guardDepth, 1);
    }
  }

  /** Whether a signal has been sent that is not known to have done its work. */
  get signalled(): boolean {
    return Atomics.load(this.#shared, SHARED.signals) !== this.#answered;
  }

  /** All signals sent so far have found what they were meant for, or nothing. */
  answered(): void {
    this.#answered = Atomics.load(this.#shared, SHARED.signals);
  }

  /**
   * Takes a signal that was sent for a script just when it ended by itself. Node then keeps it, and would break the script
   * that runs next: the semaphore of its signal thread has been raised twice, by the signal and by the end, and is
   * lowered once. So a script that only waits runs in between.
   */
  takeLateSignal(): void {
    if (!this.signalled) return;
    try {
      this.run(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LATE_MS));
    } catch (error) {
      if (!isBrokenScript(error)) throw error;
    }
    this.answered();
  }
}

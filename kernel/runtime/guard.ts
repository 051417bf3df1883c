import { Script } from "node:vm";
import { SHARED } from "../threads.js";

/**
 * Calls functions so that SIGINT can break them, whatever they do: V8 ends a script that runs with `breakOnSigint`, be
 * it in a loop, a regular expression, JSON.parse or Atomics.wait, and no catch block sees it. A call costs 29 µs. The
 * shared depth counter tells the server thread that the signal will find its script.
 */
export class Guard {
  readonly #shared: Int32Array;
  readonly #script: Script;
  readonly #call = { next: undefined as (() => unknown) | undefined };

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
    } finally {
      Atomics.sub(this.#shared, SHARED.guardDepth, 1);
    }
  }
}

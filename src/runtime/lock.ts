import { throwIfInterrupted } from "../host.js";

/** Lets one after the other in, in the order in which they came. */
export class Lock {
  #last: Promise<void> = Promise.resolve();

  /**
   * Resolves when it is one's turn, with the function that ends it.
   * @param signal ends the waiting; who comes after then waits for who was before
   * @throws PersimmonError INTERRUPTED
   */
  async enter(signal?: AbortSignal): Promise<() => void> {
    const before = this.#last;
    let leave: () => void = () => {};
    this.#last = new Promise((resolve) => {
      leave = resolve;
    });
    try {
      await (signal === undefined ? before : unlessAborted(before, signal));
    } catch (error) {
      void before.then(leave);
      throw error;
    }
    return leave;
  }
}

/** Waits for a promise, or throws `INTERRUPTED` as soon as the signal is aborted; what has come already wins. */
export async function unlessAborted(before: Promise<void>, signal: AbortSignal): Promise<void> {
  let abort = () => {};
  const aborted = new Promise<"aborted">((resolve) => {
    abort = () => resolve("aborted");
  });
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    if ((await Promise.race([before, aborted])) === "aborted") throwIfInterrupted(signal);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

import { SHARED } from "../threads.js";

/** Thrown into code that the user stopped. */
export class KeyboardInterrupt extends Error {
  constructor() {
    super("The execution was interrupted.");
    this.name = "KeyboardInterrupt";
  }
}

/** Whether an error means that the user stopped the code: ours, or that of a script broken by SIGINT. */
export function isInterrupt(error: unknown): boolean {
  try {
    return error instanceof KeyboardInterrupt || isBrokenScript(error);
  } catch {
    return false; // the trap of a Proxy threw
  }
}

/** Whether an error is that of a script broken by SIGINT. */
export function isBrokenScript(error: unknown): boolean {
  try {
    return (error as { code?: unknown } | null | undefined)?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
  } catch {
    return false; // a getter or the trap of a Proxy threw
  }
}

/** The interrupt flag that the server thread sets and compiled loops read. */
export class InterruptFlag {
  #taken = 0;

  constructor(readonly shared: Int32Array) {}

  get raised(): boolean {
    return Atomics.load(this.shared, SHARED.interrupt) !== 0;
  }

  /** Whether this interrupt has not been answered yet, by a loop that saw the flag or a script that was broken. */
  isNew(number: number): boolean {
    return number > this.#taken;
  }

  /** Tells the server thread at once that nothing need be done any more to get this interrupt through. */
  handled(number: number): void {
    Atomics.store(this.shared, SHARED.interruptTaken, number);
  }

  /** Lowers a flag that was raised for code which has ended meanwhile: the cell that begins now is not meant. */
  dropHandled(): void {
    const { shared } = this;
    if (Atomics.load(shared, SHARED.interruptTaken) === Atomics.load(shared, SHARED.interruptNumber))
      this.take();
  }

  /** Lowers the flag: all interrupts asked for so far have been answered. */
  take(): void {
    this.#taken = Atomics.load(this.shared, SHARED.interruptNumber);
    Atomics.store(this.shared, SHARED.interrupt, 0);
  }
}

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
    if (error instanceof KeyboardInterrupt) return true;
    const code = (error as { code?: unknown } | null | undefined)?.code;
    return code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
  } catch {
    return false; // a proxy, or a getter, that throws
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

  /** Lowers the flag: all interrupts asked for so far have been answered. */
  take(): void {
    this.#taken = Atomics.load(this.shared, SHARED.interruptNumber);
    Atomics.store(this.shared, SHARED.interrupt, 0);
  }
}

import { readFileSync } from "node:fs";
import { Session } from "node:inspector";
import { SHARED, type ToMain } from "../threads.js";

// A loop that looks at the flag, or an await, answers well within the first; a script needs a signal.
const FIRST_MS = 60;
const NEXT_MS = 150;
const TRIES = 200;
// How long the next cell waits for a termination that came too late for the one before, and how often it asks.
const SETTLE_MS = 2000;
const WAKE_MS = 10;
// The main thread has answered, yet the cell has not ended: a callback that it had left behind blocks again.
const AGAIN_MS = 300;

/**
 * Interrupts what the main thread does, in steps: the flag that compiled loops read and the message that stops awaits;
 * if the main thread has not answered after 60 ms, SIGINT when a guarded script runs, and otherwise (a callback of Node
 * itself, code after an await) V8's own termination, asked for over the inspector; again every 150 ms.
 */
export class Interrupter {
  readonly #shared: Int32Array;
  readonly #post: (message: ToMain) => void;
  #inspector: Session | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver: (() => boolean) | undefined;
  /** Terminations asked for that V8 has not carried out yet. */
  #terminations = 0;

  /** @param post to the main thread */
  constructor(shared: Int32Array, post: (message: ToMain) => void) {
    this.#shared = shared;
    this.#post = post;
  }

  /** @param isOver whether the cell that was to be interrupted has ended; undefined when none was running */
  interrupt(isOver?: () => boolean): void {
    this.#isOver = isOver;
    const number = Atomics.add(this.#shared, SHARED.interruptNumber, 1) + 1;
    Atomics.store(this.#shared, SHARED.interrupt, 1);
    // Wakes a synchronous prompt; it finds no answer and sees the flag.
    Atomics.store(this.#shared, SHARED.promptAnswered, 1);
    Atomics.notify(this.#shared, SHARED.promptAnswered);
    this.#post({ type: "interrupt", number });
    clearTimeout(this.#timer);
    let tries = 0;
    const escalate = () => {
      // Both are known at once, while the messages that say the same may still wait in this thread's queue. So nothing
      // is sent that would hit the next cell, which this thread has not handed over yet.
      if (isOver?.() || Atomics.load(this.#shared, SHARED.interruptTaken) >= number) return;
      if (tries++ >= TRIES) return;
      if (Atomics.load(this.#shared, SHARED.guardDepth) > 0) {
        Atomics.add(this.#shared, SHARED.signals, 1);
        process.kill(signalTarget(), "SIGINT");
      } else this.#terminate();
      this.#timer = setTimeout(escalate, NEXT_MS);
    };
    this.#timer = setTimeout(escalate, FIRST_MS);
  }

  /** The main thread has answered: nothing keeps it any more. */
  taken(number: number): void {
    if (number !== Atomics.load(this.#shared, SHARED.interruptNumber)) return;
    clearTimeout(this.#timer);
    const isOver = this.#isOver;
    if (!isOver) return;
    this.#timer = setTimeout(() => {
      if (!isOver()) this.interrupt(isOver);
    }, AGAIN_MS);
  }

  /**
   * Resolves when no termination is under way any more: V8 keeps one that found nothing to stop, and would stop the next
   * code that runs. A message wakes the main thread, and takes it.
   */
  async settled(): Promise<void> {
    const deadline = Date.now() + SETTLE_MS;
    while (this.#terminations > 0 && Date.now() < deadline) {
      this.#post({ type: "wake" });
      await new Promise((resolve) => setTimeout(resolve, WAKE_MS));
    }
    this.#terminations = 0;
  }

  #terminate(): void {
    if (!this.#inspector) {
      this.#inspector = new Session();
      this.#inspector.connectToMainThread();
    }
    this.#terminations++;
    this.#inspector.post("Runtime.terminateExecution", () => {
      this.#terminations = Math.max(0, this.#terminations - 1);
    });
  }
}

/** The whole process group when the kernel leads it, so that children which it waits for end too. */
function signalTarget(): number {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const group = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]);
    return group === process.pid ? -process.pid : process.pid;
  } catch {
    return process.pid;
  }
}

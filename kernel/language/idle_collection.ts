// Long enough that nobody is typing.
const IDLE_MS = 3000;
const WORTHWHILE_REQUESTS = 50;

/**
 * Collects garbage while the process waits: V8 puts a full collection off as long as memory is to be had, and a compiler
 * that keeps 75 MB then holds up to 550 MB after some thousand cells.
 */
export class IdleCollection {
  #collect: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #requests = 0;

  /** A request has been answered. */
  worked(): void {
    clearTimeout(this.#timer);
    if (++this.#requests < WORTHWHILE_REQUESTS) return;
    this.#timer = setTimeout(() => {
      this.#requests = 0;
      this.#collector()();
    }, IDLE_MS);
  }

  #collector(): () => void {
    if (!this.#collect) {
      // Not imported, and no switch of the process: a startup snapshot allows neither.
      process.getBuiltinModule("node:v8").setFlagsFromString("--expose-gc");
      this.#collect = process.getBuiltinModule("node:vm").runInNewContext("gc") as () => void;
    }
    return this.#collect;
  }
}

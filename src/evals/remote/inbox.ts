/** What comes in from several sides, to be read by one. */
export class Inbox<T> {
  readonly #waiting: T[] = [];
  #ending: { error?: unknown } | undefined;
  #wake: () => void = () => {};

  push(value: T): void {
    this.#waiting.push(value);
    this.#wake();
  }

  /** Nothing more will come; with an error, reading ends with it, after what is there. */
  end(ending: { error?: unknown } = {}): void {
    this.#ending ??= ending;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const value = this.#waiting.shift();
      if (value !== undefined) {
        yield value;
        continue;
      }
      if (this.#ending !== undefined) {
        if ("error" in this.#ending) throw this.#ending.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { SHARED, type ToServer } from "../threads.js";
import { type InterruptFlag, KeyboardInterrupt } from "./interrupts.js";

/** Questions to the reader of the notebook: `input()` waits without blocking, `prompt()` blocks. */
export class Input {
  /** The cell that runs, and whether its client can answer. */
  client: { cell: string; allowed: boolean } | undefined;
  #pending: { resolve(value: string): void; reject(error: Error): void } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** Counts cancellations, so that questions which still wait for their turn are not asked any more. */
  #cancelled = 0;

  constructor(
    readonly send: (message: ToServer) => void,
    readonly parent: () => string,
    readonly flag: InterruptFlag,
    readonly promptPort: MessagePort,
  ) {}

  /** Asks and resolves to the answer. Questions are asked one after the other. */
  async input(prompt = "", options: { password?: boolean } = {}): Promise<string> {
    this.#check();
    const parent = this.parent();
    const asked = this.#cancelled;
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        if (asked !== this.#cancelled) return reject(new KeyboardInterrupt());
        this.#pending = { resolve, reject };
        const { password = false } = options;
        this.send({ type: "input", prompt: String(prompt), password, parent, synchronous: false });
      });
    const answer = this.#last.then(ask);
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** Asks and blocks until the answer is there; nothing else runs meanwhile, but the kernel still answers. */
  prompt(message = "", fallback = ""): string {
    this.#check();
    const { shared } = this.flag;
    // An answer that came just when its question was interrupted may still lie there.
    while (receiveMessageOnPort(this.promptPort)) {}
    Atomics.store(shared, SHARED.promptAnswered, 0);
    this.send({
      type: "input",
      prompt: String(message),
      password: false,
      parent: this.parent(),
      synchronous: true,
    });
    Atomics.wait(shared, SHARED.promptAnswered, 0);
    const answer = receiveMessageOnPort(this.promptPort)?.message as string | undefined;
    if (answer === undefined) {
      this.send({ type: "cancelInput" });
      throw new KeyboardInterrupt();
    }
    return answer || fallback;
  }

  /** The reply to the pending question. */
  answer(value: string | undefined): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve(value ?? "");
  }

  /** Gives up the pending question, because its cell was stopped or has ended. */
  cancel(): void {
    this.#cancelled++;
    if (!this.#pending) return;
    const pending = this.#pending;
    this.#pending = undefined;
    this.send({ type: "cancelInput" });
    pending.reject(new KeyboardInterrupt());
  }

  #check(): void {
    if (this.parent() !== this.client?.cell) {
      throw new Error("input() and prompt() can only ask while the cell that calls them runs.");
    }
    if (this.client.allowed) return;
    throw new Error(
      "This front end does not take input (allow_stdin is false), so input() and prompt() cannot ask.",
    );
  }
}

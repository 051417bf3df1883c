import type { MessagePort } from "node:worker_threads";
import type { CellOutcome, CellRequest, ToMain, ToServer } from "../threads.js";

/** The part of the main thread that the protocol sees: it runs cells, and publishes while it does. */
export interface CellRunner {
  run(request: CellRequest): Promise<CellOutcome>;
  comm(message: Extract<ToMain, { type: "comm" }>): Promise<void>;
  inputReply(value: string, synchronous: boolean): void;
}

/** What the main thread asks of the server at any time. */
export interface RunnerEvents {
  stream(message: Extract<ToServer, { type: "stream" }>): void;
  publish(message: Extract<ToServer, { type: "publish" }>): void;
  input(message: Extract<ToServer, { type: "input" }>): void;
  cancelInput(): void;
  settle(): void;
  interruptTaken(number: number): void;
  languageExited(): void;
}

/** The main thread, spoken to over its port. */
export class MainThread implements CellRunner {
  readonly #done = new Map<string, (outcome: CellOutcome) => void>();
  readonly #comms = new Map<string, () => void>();

  constructor(
    readonly port: MessagePort,
    readonly answerPrompt: (value: string) => void,
    events: RunnerEvents,
  ) {
    port.on("message", (message: ToServer) => {
      switch (message.type) {
        case "stream":
          return events.stream(message);
        case "publish":
          return events.publish(message);
        case "input":
          return events.input(message);
        case "cancelInput":
          return events.cancelInput();
        case "settle":
          return events.settle();
        case "interruptTaken":
          return events.interruptTaken(message.number);
        case "languageExited":
          return events.languageExited();
        case "done":
          this.#done.get(message.id)?.(message.outcome);
          this.#done.delete(message.id);
          return;
        case "commDone":
          this.#comms.get(message.id)?.();
          this.#comms.delete(message.id);
      }
    });
  }

  run(request: CellRequest): Promise<CellOutcome> {
    this.post({ type: "execute", request });
    return new Promise((resolve) => this.#done.set(request.id, resolve));
  }

  comm(message: Extract<ToMain, { type: "comm" }>): Promise<void> {
    this.post(message);
    return new Promise((resolve) => this.#comms.set(message.id, resolve));
  }

  inputReply(value: string, synchronous: boolean): void {
    if (synchronous) this.answerPrompt(value);
    else this.post({ type: "inputReply", value });
  }

  post(message: ToMain): void {
    this.port.postMessage(message);
  }
}

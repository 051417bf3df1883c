import type { ServerResponse } from "node:http";
import { RequestError } from "./request_error.js";

/** How long a request may go on: until its client has left, its time is over, or the server stops for good. */
export interface Lifetime {
  signal: AbortSignal;
  end(): void;
}

/** The requests that are being answered. */
export class Lifetimes {
  readonly #open = new Set<AbortController>();
  readonly #seconds: number;

  /** @param seconds that each may take */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @param outgoing the answer: when it is closed before its end, nobody waits for it any more */
  begin(outgoing: ServerResponse): Lifetime {
    const controller = new AbortController();
    this.#open.add(controller);
    const timer = setTimeout(() => {
      controller.abort(
        new RequestError("REQUEST_TIMEOUT", `the request took longer than ${this.#seconds} s`, {
          status: 504,
        }),
      );
    }, this.#seconds * 1000);
    const leave = () => {
      if (!outgoing.writableFinished)
        controller.abort(new RequestError("CLIENT_GONE", "the client has left"));
      end();
    };
    const end = () => {
      clearTimeout(timer);
      outgoing.off("close", leave);
      this.#open.delete(controller);
    };
    outgoing.once("close", leave);
    if (outgoing.destroyed) leave();
    return { signal: controller.signal, end };
  }

  abortAll(reason: RequestError): void {
    for (const controller of this.#open) controller.abort(reason);
  }
}

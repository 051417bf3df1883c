import type { MessagePort } from "node:worker_threads";
import type { CompileResult, Completeness, Completion, Inspection, LanguageEngine } from "./engine.js";

/** The language engine on its own thread, seen from another. */
export class RemoteLanguage implements LanguageEngine {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  #count = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", ({ id, value, error }: { id: number; value: never; error?: string }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    });
  }

  compile(code: string, label: string): Promise<CompileResult> {
    return this.#call("compile", code, label);
  }

  compileExpression(code: string): Promise<CompileResult> {
    return this.#call("compileExpression", code);
  }

  complete(code: string, position: number): Promise<Completion> {
    return this.#call("complete", code, position);
  }

  inspect(code: string, position: number, detail: number): Promise<Inspection> {
    return this.#call("inspect", code, position, detail);
  }

  isComplete(code: string): Promise<Completeness> {
    return this.#call("isComplete", code);
  }

  #call<T>(method: string, ...parameters: unknown[]): Promise<T> {
    const id = this.#count++;
    this.#port.postMessage({ id, method, parameters });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }
}

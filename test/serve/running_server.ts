import { afterAll } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { ModelServer, type ServeOptions } from "../../src/serve/server.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

export interface RunningServer {
  server: ModelServer;
  model: LanguageModel;
  /** The same model once more, which nobody serves. */
  reference: LanguageModel;
  /** Errors that the server reported as its own. */
  errors: unknown[];
}

/** A server with a tiny random model (512 positions, ids that make text of every kind), stopped after the tests of the file. */
export async function runningServer(
  options: Partial<ServeOptions> = {},
  config: Record<string, unknown> = {},
  prepare: (model: LanguageModel) => void = () => {},
): Promise<RunningServer> {
  const directory = await tinyCheckpoint(config);
  const [model, reference] = await Promise.all([loadModel(directory), loadModel(directory)]);
  prepare(model);
  const errors: unknown[] = [];
  const server = await ModelServer.start(model, {
    port: 0,
    modelName: "tiny",
    onError: (error) => errors.push(error),
    ...options,
  });
  afterAll(() => server.stop());
  return { server, model, reference, errors };
}

/** How long a test waits for what must come; a busy machine takes its time. */
export const patience = { timeout: 20_000, interval: 20 };

/** Sends JSON and reads JSON. */
export async function send(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string> = {},
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is read field by field
): Promise<{ status: number; body: any; headers: Headers }> {
  const response = await fetch(url, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

/** Makes every pass take at least so long. */
export function slowDown(model: LanguageModel, milliseconds: number): void {
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  model.hook("layers.0.in", () => void Atomics.wait(nothing, 0, 0, milliseconds));
}

/** Pages of the KV cache that are in use. */
export function pagesInUse(model: LanguageModel): number {
  const shown = (model.kv as unknown as Record<symbol, () => string>)[
    Symbol.for("nodejs.util.inspect.custom")
  ]();
  return Number(/(\d+) of \d+ pages/.exec(shown)?.[1]);
}

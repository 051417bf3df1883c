import type { LanguageModel } from "../language_model.js";
import type { Tokenizer } from "../tokenizer/index.js";
import type { RowRequest, RowResult } from "./batch/row.js";
import { Scheduler } from "./batch/scheduler.js";
import { Lifetimes } from "./lifetimes.js";
import type { ServeLimits } from "./limits.js";
import { TokenNames } from "./token_names.js";

/** What the routes of a server share. */
export interface Service {
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  readonly names: TokenNames;
  readonly scheduler: Scheduler;
  readonly lifetimes: Lifetimes;
  readonly limits: ServeLimits;
  /** The name that clients call the model by. */
  readonly modelName: string;
  /** When the server was started, in seconds of Unix time. */
  readonly created: number;
}

/** @throws PersimmonError TOKENIZER_MISSING */
export function createService(model: LanguageModel, modelName: string, limits: ServeLimits): Service {
  return {
    model,
    tokenizer: model.tokenizer,
    names: new TokenNames(model.tokenizer),
    scheduler: new Scheduler(model.generator(), limits),
    lifetimes: new Lifetimes(limits.seconds),
    limits,
    modelName,
    created: Math.floor(Date.now() / 1000),
  };
}

/**
 * Has all texts of a request made. When one fails, the others are given up.
 * @throws RequestError SERVER_BUSY, at once
 */
export function makeTexts(
  { scheduler }: Pick<Service, "scheduler">,
  requests: readonly RowRequest[],
  signal: AbortSignal,
): Promise<RowResult[]> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  if (signal.aborted) abort();
  const texts = Promise.all(scheduler.submit(requests, controller.signal));
  signal.addEventListener("abort", abort, { once: true });
  texts.catch((error) => controller.abort(error));
  return texts.finally(() => signal.removeEventListener("abort", abort));
}

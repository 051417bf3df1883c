import type { RowRequest } from "../batch/row.js";
import { drawnSeed } from "../draw.js";
import { Fields, invalid } from "../fields.js";
import { RequestError } from "../request_error.js";
import type { Service } from "../service.js";
import type { PromptTokens } from "../token_names.js";
import { type CommonFields, commonFields } from "./common_fields.js";
import { checkRoom, promptIds } from "./room.js";

/** A request for completions, checked. */
export interface CompletionRequest extends CommonFields {
  prompts: readonly PromptTokens[];
  maxTokens: readonly number[];
  /** Whether the answer begins with the prompt. */
  echo: boolean;
  /** How many of the most likely tokens are told at each place; undefined for no log-probabilities. */
  logprobs: number | undefined;
}

/** As OpenAI's interface has it. */
const mostLogprobs = 5;
const defaultMaxTokens = 16;

/**
 * Reads the body of `POST /v1/completions`. Texts begin with the BOS token where the model's tokenizer says so; lists of token
 * ids are taken as they are.
 * @throws RequestError
 */
export function completionRequest(service: Service, body: Record<string, unknown>): CompletionRequest {
  const fields = new Fields(body);
  const common = commonFields(fields, service.modelName, service.limits.choices);
  const given = promptsOf(fields.any("prompt") ?? "");
  const asked = fields.whole("max_tokens", 0, Number.MAX_SAFE_INTEGER) ?? defaultMaxTokens;
  const echo = fields.boolean("echo") ?? false;
  const logprobs = fields.whole("logprobs", 0, mostLogprobs);
  fields.unsupported("suffix", "Persimmon was not trained to fill gaps", "");
  fields.unsupported("best_of", "all texts that are made are returned; use n", common.n);
  fields.end();
  if (given.length * common.n > service.limits.choices) {
    throw new RequestError(
      "TOO_MANY_CHOICES",
      `${given.length} prompts with n = ${common.n} are more than the ${service.limits.choices} texts that a request may ask for`,
      { param: given.length > 1 ? "prompt" : "n" },
    );
  }
  const prompts = given.map((prompt) => ({
    ids: promptIds(service.model, prompt, "prompt"),
    begin: typeof prompt === "string" && service.tokenizer.addBos ? 1 : 0,
  }));
  const maxTokens = prompts.map(({ ids }) => checkRoom(service, ids, asked, "max_tokens"));
  return { ...common, prompts, maxTokens, echo, logprobs };
}

/** What is to be made: the choices of the first prompt first. */
export function completionRows(request: CompletionRequest, endIds: readonly number[]): RowRequest[] {
  const { n, temperature, topP, seed, stop, logprobs: top, echo, maxTokens } = request;
  return request.prompts.flatMap(({ ids: prompt }, index) =>
    Array.from({ length: n }, (_, choice) => ({
      prompt,
      maxNewTokens: maxTokens[index],
      temperature,
      topK: 0,
      topP,
      seed: drawnSeed(seed, index * n + choice),
      stop,
      endIds,
      top,
      scorePrompt: echo && top !== undefined,
    })),
  );
}

function promptsOf(given: unknown): (string | number[])[] {
  if (typeof given === "string") return [given];
  const isIds = (value: unknown) =>
    Array.isArray(value) && value.length > 0 && value.every((id) => Number.isSafeInteger(id));
  if (isIds(given)) return [given as number[]];
  if (Array.isArray(given) && given.length > 0) {
    if (given.every((one) => typeof one === "string") || given.every(isIds)) return given;
  }
  throw invalid("prompt", "a text, a list of texts, a list of token ids or a list of such lists", given);
}

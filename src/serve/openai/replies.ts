import { randomUUID } from "node:crypto";
import type { RowResult } from "../batch/row.js";
import { type RequestError, requestError } from "../request_error.js";

/** Numbers of tokens, as OpenAI's interface has them. */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

/** Each prompt counts once, however many texts are made for it; tokens that ended a text count. */
export function usageOf(prompts: readonly { length: number }[], results: readonly RowResult[]): Usage {
  const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.length, 0);
  const completionTokens = results.reduce((sum, { ids }) => sum + ids.length, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** What every answer begins with. */
export function replyHead<T extends string>(
  prefix: string,
  object: T,
  model: string,
): { id: string; object: T; created: number; model: string } {
  return {
    id: `${prefix}-${randomUUID().replaceAll("-", "")}`,
    object,
    created: Math.floor(Date.now() / 1000),
    model,
  };
}

export function finishReason({ finish }: Pick<RowResult, "finish">): "stop" | "length" {
  return finish === "length" ? "length" : "stop";
}

/** An error as OpenAI's interface has it. */
export function errorBody(error: unknown): {
  error: { message: string; type: string; param: string | null; code: string };
} {
  const known = requestError(error);
  return {
    error: {
      message: known.message,
      type: typeOf(known),
      param: known.param,
      code: known.code.toLowerCase(),
    },
  };
}

function typeOf({ status }: RequestError): string {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

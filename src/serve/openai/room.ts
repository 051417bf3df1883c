import type { LanguageModel } from "../../language_model.js";
import { RequestError } from "../request_error.js";
import type { Service } from "../service.js";

/**
 * How many tokens may be made after a prompt.
 * @param asked by the request; undefined: as many as there is room for
 * @throws RequestError CONTEXT_LENGTH_EXCEEDED, MAX_TOKENS_TOO_LARGE
 */
export function checkRoom(
  { model, limits }: Pick<Service, "model" | "limits">,
  prompt: readonly number[],
  asked: number | undefined,
  param: string,
): number {
  if (asked !== undefined && asked > limits.newTokens) {
    throw new RequestError(
      "MAX_TOKENS_TOO_LARGE",
      `${param} must be at most ${limits.newTokens}, which is this server's limit, got ${asked}`,
      { param },
    );
  }
  const room = model.maxLength - prompt.length;
  if (room >= (asked ?? 1)) return asked ?? Math.min(room, limits.newTokens);
  throw new RequestError(
    "CONTEXT_LENGTH_EXCEEDED",
    `the context holds ${model.maxLength} tokens, but the request needs ${prompt.length + (asked ?? 1)}: ${prompt.length} of the prompt and ${asked ?? 1} to be made`,
    { param },
  );
}

/**
 * The ids of a prompt of any length.
 * @throws PersimmonError PROMPT_EMPTY, TOKEN_ID_OUT_OF_RANGE; RequestError CONTEXT_LENGTH_EXCEEDED
 */
export function promptIds(model: LanguageModel, prompt: string | readonly number[], param: string): number[] {
  try {
    return model.encodePrompt(prompt);
  } catch (error) {
    const { code = "", message } = error as { code?: string; message: string };
    if (code === "PROMPT_TOO_LONG") throw new RequestError("CONTEXT_LENGTH_EXCEEDED", message, { param });
    if (code.startsWith("PROMPT_") || code.startsWith("TOKEN_ID_")) {
      throw new RequestError(code, message, { param });
    }
    throw error;
  }
}

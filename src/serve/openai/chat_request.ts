import { type ChatTurn, chatPrompt, chatStop } from "../../generation/chat.js";
import type { RowRequest } from "../batch/row.js";
import { drawnSeed } from "../draw.js";
import { Fields, invalid } from "../fields.js";
import { RequestError } from "../request_error.js";
import type { Service } from "../service.js";
import { type CommonFields, commonFields } from "./common_fields.js";
import { chatTurns } from "./messages.js";
import { checkRoom, promptIds } from "./room.js";

/** A request for the next answer of a conversation, checked. */
export interface ChatRequest extends CommonFields {
  turns: readonly ChatTurn[];
  prompt: readonly number[];
  maxTokens: number;
  /** How many of the most likely tokens are told at each place; undefined for no log-probabilities. */
  logprobs: number | undefined;
}

/** As OpenAI's interface has it. */
const mostTopLogprobs = 20;

const noTools = "Persimmon was not trained to call tools";

/**
 * Reads the body of `POST /v1/chat/completions`.
 * @throws RequestError
 */
export function chatRequest(service: Service, body: Record<string, unknown>): ChatRequest {
  const fields = new Fields(body);
  const common = commonFields(fields, service.modelName, service.limits.choices);
  const turns = chatTurns(fields.any("messages"));
  const { asked, param } = maxTokensOf(fields);
  const logprobs = logprobsOf(fields);
  fields.unsupported("tools", noTools, []);
  fields.unsupported("functions", noTools, []);
  fields.unsupported("tool_choice", noTools, "none", "auto");
  fields.unsupported("function_call", noTools, "none", "auto");
  fields.unsupported("response_format", "the text is not made to fit a format", { type: "text" });
  fields.unsupported("modalities", "Persimmon makes text", ["text"]);
  fields.unsupported("audio", "Persimmon makes text");
  fields.unsupported("prediction", "nothing is predicted from outside");
  fields.unsupported("reasoning_effort", "Persimmon does not reason before it answers", "none");
  fields.unsupported("verbosity", "Persimmon knows no such instruction", "medium");
  fields.unsupported("web_search_options", "there is no web search");
  fields.unsupported("store", "nothing is stored", false);
  fields.unsupported("service_tier", "there is one for all", "auto", "default");
  fields.ignore("parallel_tool_calls");
  fields.end();
  const prompt = promptIds(service.model, chatPrompt(turns), "messages");
  return { ...common, turns, prompt, maxTokens: checkRoom(service, prompt, asked, param), logprobs };
}

/** What is to be made: an answer also ends where the model begins the next question itself. */
export function chatRows(request: ChatRequest, endIds: readonly number[]): RowRequest[] {
  const { prompt, maxTokens, temperature, topP, seed, stop, logprobs: top } = request;
  return Array.from({ length: request.n }, (_, choice) => ({
    prompt,
    maxNewTokens: maxTokens,
    temperature,
    topK: 0,
    topP,
    seed: drawnSeed(seed, choice),
    stop: [...stop, chatStop],
    endIds,
    top,
    scorePrompt: false,
  }));
}

/** `max_tokens` is the older name. */
function maxTokensOf(fields: Fields): { asked: number | undefined; param: string } {
  const older = fields.whole("max_tokens", 1, Number.MAX_SAFE_INTEGER);
  const asked = fields.whole("max_completion_tokens", 1, Number.MAX_SAFE_INTEGER);
  if (older !== undefined && asked !== undefined && older !== asked) {
    throw new RequestError(
      "INVALID_VALUE",
      `max_tokens (${older}) and max_completion_tokens (${asked}) are two names of one limit: give one`,
      { param: "max_tokens" },
    );
  }
  return { asked: asked ?? older, param: asked === undefined ? "max_tokens" : "max_completion_tokens" };
}

function logprobsOf(fields: Fields): number | undefined {
  const wanted = fields.boolean("logprobs") ?? false;
  const top = fields.whole("top_logprobs", 0, mostTopLogprobs);
  if (top !== undefined && !wanted) throw invalid("logprobs", "true where top_logprobs is given", wanted);
  return wanted ? (top ?? 0) : undefined;
}

import { type Fields, invalid } from "../fields.js";
import { RequestError } from "../request_error.js";

/** What requests for completions and for chats have in common. */
export interface CommonFields {
  /** Texts for each prompt. */
  n: number;
  /** 0 takes the most likely token. */
  temperature: number;
  topP: number;
  seed: number | undefined;
  stop: string[];
  stream: boolean;
  /** Whether a stream ends with the numbers of tokens. */
  includeUsage: boolean;
}

const mostStops = 4;

/**
 * Reads them, and refuses what OpenAI's interface has and this server does not, where it would change the result.
 * @param modelName the model that is served
 * @param mostChoices texts that a request may ask for
 * @throws RequestError
 */
export function commonFields(fields: Fields, modelName: string, mostChoices: number): CommonFields {
  checkModel(fields, modelName);
  const topP = fields.number("top_p", 0, 1) ?? 1;
  // A nucleus of no probability holds the most likely token alone.
  const temperature = fields.number("temperature", 0, 2) ?? 1;
  const stream = fields.boolean("stream") ?? false;
  fields.unsupported("presence_penalty", "Persimmon's sampling has no penalties", 0);
  fields.unsupported("frequency_penalty", "Persimmon's sampling has no penalties", 0);
  fields.unsupported("logit_bias", "logits are not changed", {});
  fields.ignore("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention");
  return {
    n: fields.whole("n", 1, mostChoices) ?? 1,
    temperature: topP === 0 ? 0 : temperature,
    topP,
    seed: fields.whole("seed", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    stop: stopsOf(fields.any("stop")),
    stream,
    includeUsage: includesUsage(fields.any("stream_options"), stream),
  };
}

function checkModel(fields: Fields, modelName: string): void {
  const model = fields.text("model");
  if (model === undefined) {
    throw new RequestError("MISSING_PARAMETER", `the request must name a model: ${modelName}`, {
      param: "model",
    });
  }
  if (model === modelName) return;
  throw new RequestError(
    "MODEL_NOT_FOUND",
    `the model ${JSON.stringify(model)} is not served here; there is ${JSON.stringify(modelName)}`,
    { status: 404, param: "model" },
  );
}

function stopsOf(given: unknown): string[] {
  if (given === undefined) return [];
  const list: unknown[] = Array.isArray(given) ? given : [given];
  if (list.length <= mostStops && list.every((stop) => typeof stop === "string" && stop !== "")) {
    return list as string[];
  }
  throw invalid("stop", `a text or a list of up to ${mostStops}, none of them empty`, given);
}

function includesUsage(options: unknown, stream: boolean): boolean {
  if (options === undefined) return false;
  if (!stream) {
    throw new RequestError("INVALID_VALUE", "stream_options is for requests with stream: true", {
      param: "stream_options",
    });
  }
  const { include_usage: includeUsage = false, ...others } = Object(options);
  delete others.include_obfuscation;
  if (typeof options !== "object" || typeof includeUsage !== "boolean" || Object.keys(others).length > 0) {
    throw invalid("stream_options", 'an object such as { "include_usage": true }', options);
  }
  return includeUsage;
}

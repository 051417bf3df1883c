import { RequestError } from "../request_error.js";

/** A request to Adept's `PUT /api`, checked. */
export interface AdeptRequest {
  prompts: readonly string[];
  tokensToGenerate: number;
  logprobs: boolean;
  temperature: number;
  topK: number;
  topP: number;
  addBos: boolean;
  /** undefined: another one each time */
  randomSeed: number | undefined;
  noLog: boolean;
}

/** Adept's server says what is wrong in the place of the answer: a JSON string, with status 200 unless it is a 400 there. */
class AdeptRefusal extends RequestError {
  constructor(text: string, status: 200 | 400 = 200) {
    super("REQUEST_INVALID", text, { status });
  }
}

/**
 * Reads a request as Adept's server does (text_generation_server.py): its fields, defaults, checks in its order, its texts and
 * HTTP statuses. Other fields are ignored, as there. Three things are stricter, where Python's types let through what was not
 * meant or the server failed: true and false are no numbers, prompts have to be texts, and at least one.
 * @param mostPrompts 128 there
 * @throws RequestError REQUEST_INVALID
 */
export function adeptRequest(body: Record<string, unknown>, mostPrompts: number): AdeptRequest {
  const field = (name: string) => (Object.hasOwn(body, name) ? body[name] : undefined);
  const given = field("prompts");
  if (given === undefined) throw new AdeptRefusal("prompts argument required", 400);
  if (field("max_len") !== undefined) {
    throw new AdeptRefusal("max_len is no longer used.  Replace with tokens_to_generate", 400);
  }
  if (field("sentences") !== undefined) {
    throw new AdeptRefusal("sentences is no longer used.  Replace with prompts", 400);
  }
  const prompts = promptsOf(given, mostPrompts);
  const tokensToGenerate = tokensOf(field("tokens_to_generate"));
  const logprobs = flag("logprobs", field("logprobs"));
  if (tokensToGenerate === 0 && !logprobs) {
    throw new AdeptRefusal("tokens_to_generate=0 implies logprobs should be True");
  }
  const temperature = temperatureOf(field("temperature"));
  const topK = topKOf(field("top_k"));
  const topP = topPOf(field("top_p"), topK);
  const addBos = flag("add_BOS", field("add_BOS"));
  const randomSeed = seedOf(field("random_seed"));
  const noLog = flag("no_log", field("no_log"));
  if (prompts.includes("") && !addBos) throw new AdeptRefusal("Empty prompts require add_BOS=true");
  return { prompts, tokensToGenerate, logprobs, temperature, topK, topP, addBos, randomSeed, noLog };
}

function promptsOf(given: unknown, mostPrompts: number): string[] {
  const prompts: unknown[] = Array.isArray(given) ? given : [given];
  if (prompts.length > mostPrompts)
    throw new AdeptRefusal(`Maximum number of prompts is ${mostPrompts}`, 400);
  if (prompts.length === 0 || prompts.some((prompt) => typeof prompt !== "string")) {
    throw new AdeptRefusal("prompts must be a text or a list of texts, at least one", 400);
  }
  return prompts as string[];
}

function tokensOf(tokens: unknown = 64): number {
  if (!isWhole(tokens)) throw new AdeptRefusal("tokens_to_generate must be an integer greater than 0");
  if (tokens < 0) {
    throw new AdeptRefusal("tokens_to_generate must be an integer greater than or equal to 0");
  }
  return tokens;
}

function temperatureOf(temperature: unknown = 1): number {
  if (typeof temperature !== "number" || !(temperature > 0 && temperature <= 100)) {
    throw new AdeptRefusal("temperature must be a positive number less than or equal to 100.0");
  }
  return temperature;
}

function topKOf(topK: unknown = 0): number {
  if (!isWhole(topK)) {
    throw new AdeptRefusal(
      "top_k must be an integer equal to or greater than 0 and less than or equal to 1000",
    );
  }
  if (topK < 0 || topK > 1000) {
    throw new AdeptRefusal("top_k must be equal to or greater than 0 and less than or equal to 1000");
  }
  return topK;
}

function topPOf(topP: unknown = 0, topK: number): number {
  if (typeof topP !== "number") {
    throw new AdeptRefusal("top_p must be a positive float less than or equal to 1.0");
  }
  if (topP > 0 && topK > 0) throw new AdeptRefusal("cannot set both top-k and top-p samplings.");
  if (topP < 0 || topP > 1) throw new AdeptRefusal("top_p must be less than or equal to 1.0");
  return topP;
}

function seedOf(seed: unknown): number | undefined {
  if (seed === undefined) return undefined;
  if (!isWhole(seed)) throw new AdeptRefusal("random_seed must be integer");
  if (seed < 0) throw new AdeptRefusal("random_seed must be a positive integer");
  return seed;
}

function flag(name: string, value: unknown = false): boolean {
  if (typeof value !== "boolean") throw new AdeptRefusal(`${name} must be a boolean value`);
  return value;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

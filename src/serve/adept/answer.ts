import type { RowRequest, RowResult } from "../batch/row.js";
import { drawnSeed } from "../draw.js";
import { jsonLogprob } from "../json_logprob.js";
import { RequestError } from "../request_error.js";
import { makeTexts, type Service } from "../service.js";
import { humanReadableTokens } from "./human_readable.js";
import type { AdeptRequest } from "./request.js";

/** The answer of Adept's server; one entry for each prompt. */
export interface AdeptAnswer {
  /** The prompt and what was made, decoded together. */
  text: string[];
  /** Of every token but the first, prompt and made ones, under the unmodified logits. */
  logprobs: number[][] | null;
  /** What was made, the token that ended it included; empty when nothing was to be made. */
  generations: string[];
  human_readable_tokens: string[][];
}

/**
 * Answers a request as Adept's server, which decodes one prompt at a time, answers each of its prompts. Prompt number i draws
 * with the seed `random_seed + i`.
 * @throws RequestError REQUEST_INVALID, SERVER_BUSY and what the signal is aborted with
 */
export async function adeptAnswer(
  service: Service,
  request: AdeptRequest,
  signal: AbortSignal,
): Promise<AdeptAnswer> {
  const rows = request.prompts.map((prompt, index) => rowOf(service, request, prompt, index));
  const results = await makeTexts(service, rows, signal);
  const { names, tokenizer } = service;
  const made = request.tokensToGenerate === 0 ? [] : results.map(({ ids }) => names.textOf(ids));
  return {
    text: results.map(({ ids }, index) => names.textOf([...rows[index].prompt, ...ids])),
    logprobs: request.logprobs ? results.map(logprobsOf) : null,
    generations: made,
    human_readable_tokens: made.map((text) => humanReadableTokens(tokenizer, text)),
  };
}

function rowOf(
  { tokenizer, model, limits }: Service,
  request: AdeptRequest,
  prompt: string,
  index: number,
): RowRequest {
  const ids = tokenizer.encode(prompt);
  const end = tokenizer.endOfTextId;
  if (request.addBos) {
    const bos = end ?? tokenizer.bosId;
    if (bos === undefined) refuse("add_BOS needs a token that begins texts, and this model has none");
    else ids.unshift(bos);
  }
  // A text of spaces alone may have no token either.
  if (ids.length === 0) refuse("Empty prompts require add_BOS=true");
  if (ids.length > model.maxLength) refuse("Length of subsequence prompt exceeds sequence length.");
  const isGreedy = request.topK === 1;
  return {
    prompt: model.encodePrompt(ids),
    maxNewTokens: Math.min(request.tokensToGenerate, limits.newTokens),
    temperature: isGreedy ? 0 : request.temperature,
    topK: isGreedy ? 0 : request.topK,
    topP: request.topP,
    seed: drawnSeed(request.randomSeed, index),
    stop: [],
    endIds: [...model.eosTokenIds, ...(end === undefined ? [] : [end])],
    top: request.logprobs ? 0 : undefined,
    scorePrompt: request.logprobs,
  };
}

function logprobsOf({ promptScores, scores }: RowResult): number[] {
  return [...promptScores, ...scores].map(({ logprob }) => jsonLogprob(logprob));
}

function refuse(text: string): never {
  throw new RequestError("REQUEST_INVALID", text, { status: 200 });
}

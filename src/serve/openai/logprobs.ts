import type { RowToken } from "../batch/row.js";
import type { TokenScore } from "../batch/scores.js";
import { jsonLogprob } from "../json_logprob.js";
import { charactersIn, type PromptTokens, type TokenNames } from "../token_names.js";

/** Log-probabilities of a completion, a list of each kind. */
export interface CompletionLogprobs {
  tokens: string[];
  /** null for the first token of a text, which nothing is before. */
  token_logprobs: (number | null)[];
  /** The most likely tokens at each place, and the one that stands there. */
  top_logprobs: (Record<string, number> | null)[];
  /** Where each token begins in the text of the choice, in characters. */
  text_offset: number[];
}

/** Of the tokens of a prompt: the first has no score. */
export function promptLogprobs(
  names: TokenNames,
  prompt: PromptTokens,
  scores: readonly TokenScore[],
): CompletionLogprobs {
  return {
    tokens: prompt.ids.map((id) => names.nameOf(id)),
    token_logprobs: [null, ...scores.map(({ logprob }) => jsonLogprob(logprob))],
    top_logprobs: [null, ...scores.map((score) => topLogprobs(names, score))],
    text_offset: names.promptText(prompt).offsets,
  };
}

/**
 * Of tokens that were made.
 * @param begin characters before them
 */
export function completionLogprobs(
  names: TokenNames,
  tokens: readonly RowToken[],
  begin: number,
): CompletionLogprobs {
  const logprobs: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  let offset = begin;
  for (const { id, text, score } of tokens) {
    if (score !== undefined) {
      logprobs.tokens.push(names.nameOf(id));
      logprobs.token_logprobs.push(jsonLogprob(score.logprob));
      logprobs.top_logprobs.push(topLogprobs(names, score));
      logprobs.text_offset.push(offset);
    }
    offset += charactersIn(text);
  }
  return logprobs;
}

function topLogprobs(names: TokenNames, score: TokenScore): Record<string, number> {
  const byName = new Map<string, number>();
  for (const { id, logprob } of score.top) {
    // A letter and its byte have one name: the more likely of them is told.
    const name = names.nameOf(id);
    if (!byName.has(name)) byName.set(name, jsonLogprob(logprob));
  }
  byName.set(names.nameOf(score.id), jsonLogprob(score.logprob));
  return Object.fromEntries(byName);
}

/** One after the other. */
export function joinLogprobs(a: CompletionLogprobs, b: CompletionLogprobs): CompletionLogprobs {
  return {
    tokens: [...a.tokens, ...b.tokens],
    token_logprobs: [...a.token_logprobs, ...b.token_logprobs],
    top_logprobs: [...a.top_logprobs, ...b.top_logprobs],
    text_offset: [...a.text_offset, ...b.text_offset],
  };
}

interface ChatToken {
  token: string;
  logprob: number;
  /** UTF-8; null for a token without text. */
  bytes: number[] | null;
}

/** Log-probabilities of an answer, an object for each token. */
export interface ChatLogprobs {
  content: (ChatToken & { top_logprobs: ChatToken[] })[];
  refusal: null;
}

export function chatLogprobs(names: TokenNames, scores: readonly TokenScore[]): ChatLogprobs {
  const token = ({ id, logprob }: { id: number; logprob: number }): ChatToken => ({
    token: names.nameOf(id),
    logprob: jsonLogprob(logprob),
    bytes: names.bytesOf(id),
  });
  return {
    content: scores.map((score) => ({ ...token(score), top_logprobs: score.top.map(token) })),
    refusal: null,
  };
}

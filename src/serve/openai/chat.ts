import type { RowResult, RowToken } from "../batch/row.js";
import { makeTexts, type Service } from "../service.js";
import type { Send } from "../sse.js";
import { type ChatRequest, chatRows } from "./chat_request.js";
import { type ChatLogprobs, chatLogprobs } from "./logprobs.js";
import { finishReason, replyHead, usageOf } from "./replies.js";

interface Delta {
  role?: "assistant";
  content?: string;
}

/** Makes all answers to a conversation. */
export async function chatCompletion(
  service: Service,
  request: ChatRequest,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const results = await makeTexts(service, chatRows(request, service.model.eosTokenIds), signal);
  return {
    ...replyHead("chatcmpl", "chat.completion", service.modelName),
    choices: results.map((result, index) => ({
      index,
      message: { role: "assistant", content: withoutFirstSpace(result.text), refusal: null },
      logprobs: logprobsOf(service, result.tokens),
      finish_reason: finishReason(result),
    })),
    usage: usageOf([request.prompt], results),
  };
}

/**
 * Sends the answers as they are made, all choices through one another.
 * @throws RequestError SERVER_BUSY, at once
 */
export function streamChat(
  service: Service,
  request: ChatRequest,
  signal: AbortSignal,
  send: Send,
): Promise<void> {
  const head = replyHead("chatcmpl", "chat.completion.chunk", service.modelName);
  const sendDelta = (
    index: number,
    delta: Delta,
    logprobs: ChatLogprobs | null = null,
    finish: RowResult | undefined = undefined,
  ) => {
    const reason = finish === undefined ? null : finishReason(finish);
    const choice = { index, delta, logprobs, finish_reason: reason };
    send({ ...head, choices: [choice], ...(request.includeUsage && { usage: null }) });
  };
  const rows = chatRows(request, service.model.eosTokenIds).map((row, index) => {
    let isFirst = true;
    const onPrompt = () => sendDelta(index, { role: "assistant", content: "" });
    const onToken = (token: RowToken) => {
      const content = isFirst ? withoutFirstSpace(token.text) : token.text;
      if (token.text !== "") isFirst = false;
      const logprobs = logprobsOf(service, [token]);
      if (content !== "" || logprobs !== null) sendDelta(index, { content }, logprobs);
    };
    return { ...row, onPrompt, onToken };
  });
  return makeTexts(service, rows, signal).then((results) => {
    for (const [index, result] of results.entries()) sendDelta(index, {}, null, result);
    if (request.includeUsage) send({ ...head, choices: [], usage: usageOf([request.prompt], results) });
  });
}

/** The space after `adept:` belongs to the format of a conversation, not to the answer. */
function withoutFirstSpace(text: string): string {
  return text.replace(/^ /, "");
}

function logprobsOf({ names }: Service, tokens: RowResult["tokens"]): ChatLogprobs | null {
  const scores = tokens.flatMap(({ score }) => score ?? []);
  return scores.length === 0 ? null : chatLogprobs(names, scores);
}

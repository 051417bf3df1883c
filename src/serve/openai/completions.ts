import type { RowResult, RowToken } from "../batch/row.js";
import type { TokenScore } from "../batch/scores.js";
import { makeTexts, type Service } from "../service.js";
import type { Send } from "../sse.js";
import { charactersIn, type PromptTokens, type TokenNames } from "../token_names.js";
import { type CompletionRequest, completionRows } from "./completion_request.js";
import { type CompletionLogprobs, completionLogprobs, joinLogprobs, promptLogprobs } from "./logprobs.js";
import { finishReason, replyHead, type Usage, usageOf } from "./replies.js";

interface Choice {
  text: string;
  index: number;
  logprobs: CompletionLogprobs | null;
  finish_reason: "stop" | "length" | null;
}

/** What `POST /v1/completions` answers, and a part of it where it streams. */
export interface Completion {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: Choice[];
  usage?: Usage | null;
}

/** Makes all texts and answers. */
export async function completion(
  service: Service,
  request: CompletionRequest,
  signal: AbortSignal,
): Promise<Completion> {
  const results = await makeTexts(service, completionRows(request, service.model.eosTokenIds), signal);
  return {
    ...replyHead("cmpl", "text_completion", service.modelName),
    choices: results.map((result, index) => choiceOf(service, request, result, index)),
    usage: usageOf(
      request.prompts.map(({ ids }) => ids),
      results,
    ),
  };
}

/**
 * Sends the texts as they are made, all choices through one another.
 * @throws RequestError SERVER_BUSY, at once
 */
export function streamCompletion(
  service: Service,
  request: CompletionRequest,
  signal: AbortSignal,
  send: Send,
): Promise<void> {
  const head = replyHead("cmpl", "text_completion", service.modelName);
  const sendChoice = (choice: Choice) => {
    send({ ...head, choices: [choice], ...(request.includeUsage && { usage: null }) } satisfies Completion);
  };
  const rows = completionRows(request, service.model.eosTokenIds).map((row, index) => {
    const part = new StreamedChoice(service.names, request, index);
    const onPrompt = (scores: readonly TokenScore[]) => {
      if (request.echo) sendChoice(part.prompt(scores));
    };
    const onToken = (token: RowToken) => {
      const choice = part.token(token);
      if (choice.text !== "" || choice.logprobs !== null) sendChoice(choice);
    };
    return { ...row, onPrompt, onToken };
  });
  return makeTexts(service, rows, signal).then((results) => {
    for (const [index, result] of results.entries()) {
      sendChoice({ text: "", index, logprobs: null, finish_reason: finishReason(result) });
    }
    if (request.includeUsage)
      send({
        ...head,
        choices: [],
        usage: usageOf(
          request.prompts.map(({ ids }) => ids),
          results,
        ),
      });
  });
}

function promptOf(request: CompletionRequest, choice: number): PromptTokens {
  return request.prompts[Math.floor(choice / request.n)];
}

function choiceOf({ names }: Service, request: CompletionRequest, result: RowResult, index: number): Choice {
  const prompt = promptOf(request, index);
  const echoed = request.echo ? names.promptText(prompt).text : "";
  let logprobs: CompletionLogprobs | null = null;
  if (request.logprobs !== undefined) {
    logprobs = completionLogprobs(names, result.tokens, charactersIn(echoed));
    if (request.echo) logprobs = joinLogprobs(promptLogprobs(names, prompt, result.promptScores), logprobs);
  }
  return { text: echoed + result.text, index, logprobs, finish_reason: finishReason(result) };
}

/** The parts of one choice, which know how long the text is so far. */
class StreamedChoice {
  readonly #names: TokenNames;
  readonly #request: CompletionRequest;
  readonly #index: number;
  #length = 0;

  constructor(names: TokenNames, request: CompletionRequest, index: number) {
    this.#names = names;
    this.#request = request;
    this.#index = index;
  }

  prompt(scores: readonly TokenScore[]): Choice {
    const prompt = promptOf(this.#request, this.#index);
    const { text } = this.#names.promptText(prompt);
    this.#length = charactersIn(text);
    const isScored = this.#request.logprobs !== undefined;
    const logprobs = isScored ? promptLogprobs(this.#names, prompt, scores) : null;
    return { text, index: this.#index, logprobs, finish_reason: null };
  }

  token(token: RowToken): Choice {
    const isScored = token.score !== undefined;
    const logprobs = isScored ? completionLogprobs(this.#names, [token], this.#length) : null;
    this.#length += charactersIn(token.text);
    return { text: token.text, index: this.#index, logprobs, finish_reason: null };
  }
}

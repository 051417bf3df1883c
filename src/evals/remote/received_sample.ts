import { PersimmonError } from "../../errors.js";
import type { Question } from "../run/prepare.js";
import { type Sample, sampleKey, sampleLine } from "../run/samples.js";
import { readAnswer } from "../run/score.js";
import type { EvalTask } from "../task.js";
import { objectOf } from "./jupyter_server.js";

/** What a sample that comes from outside must fit. */
export interface Expected {
  task: EvalTask;
  fingerprint: string;
  keepPrompts: boolean;
  /** The most tokens of an answer. */
  maxNewTokens: number;
  /** Prompt, example and endings of an item that was asked for. */
  question: Omit<Question, "ids">;
  sample: number;
}

/** The key of what claims to be a sample; undefined when it does not even have one. */
export function keyOfReceived(value: unknown): string | undefined {
  const { id, sample } = objectOf(value) ?? {};
  return typeof id === "string" && Number.isInteger(sample)
    ? sampleKey({ id, sample: sample as number })
    : undefined;
}

/**
 * A sample from outside, checked and put together as a run here would have it: what can be known here is, and only what the
 * model said is taken over.
 * @throws PersimmonError EVAL_SERVER_REPLY_INVALID, naming the field
 */
export function receivedSample(value: unknown, expected: Expected, server: string): Sample {
  const { task, question, fingerprint, sample, maxNewTokens } = expected;
  const { item, promptSha256, shotId, likelihood } = question;
  const sent = objectOf(value) ?? {};
  const need = (isRight: boolean, name: string, what: string): void => {
    if (isRight) return;
    const found = JSON.stringify(sent[name]) ?? "nothing";
    throw new PersimmonError(
      "EVAL_SERVER_REPLY_INVALID",
      `${server}: the sample of "${item.id}" should have ${what} as ${name}, found ${found.slice(0, 200)}`,
    );
  };
  for (const [name, known] of [
    ["fingerprint", fingerprint],
    ["task", task.name],
    ["id", item.id],
    ["sample", sample],
    ["shot_id", shotId],
    ["prompt_sha256", promptSha256],
  ] as const) {
    need(sent[name] === known, name, JSON.stringify(known));
  }
  need(isCount(sent.n_prompt_tokens), "n_prompt_tokens", "a whole number");
  const common = sampleLine(expected, question, sample, sent.n_prompt_tokens as number);
  if (likelihood === undefined) {
    const { generated_ids: ids, text, finish } = sent;
    need(isListOf(ids, isCount) && ids.length <= maxNewTokens, "generated_ids", "a list of token ids");
    need(typeof text === "string", "text", "a text");
    need(["stop", "eos", "length"].includes(finish as string), "finish", '"stop", "eos" or "length"');
    return {
      ...common,
      generated_ids: ids as number[],
      text: text as string,
      finish: finish as "stop" | "eos" | "length",
      ...readAnswer(task, item, text as string),
    };
  }
  const count = likelihood.endings.length;
  const { logprobs, n_tokens, n_bytes, answer, answer_norm } = sent;
  // JSON has no infinity and makes it null: an ending that is impossible.
  const isScore = (score: unknown) => score === null || typeof score === "number";
  need(isListOf(logprobs, isScore, count), "logprobs", `${count} numbers`);
  need(isListOf(n_tokens, isCount, count), "n_tokens", `${count} whole numbers`);
  need(isListOf(n_bytes, isCount, count), "n_bytes", `${count} whole numbers`);
  need(isCount(answer) && answer < count, "answer", "the index of an ending");
  need(isCount(answer_norm) && answer_norm < count, "answer_norm", "the index of an ending");
  const { gold } = likelihood;
  return {
    ...common,
    logprobs: (logprobs as (number | null)[]).map((score) => score ?? Number.NEGATIVE_INFINITY),
    n_tokens: n_tokens as number[],
    n_bytes: n_bytes as number[],
    answer: answer as number,
    answer_norm: answer_norm as number,
    gold,
    correct: answer === gold,
    correct_norm: answer_norm === gold,
  };
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isListOf(value: unknown, fits: (one: unknown) => boolean, length?: number): value is unknown[] {
  return Array.isArray(value) && value.every(fits) && (length === undefined || value.length === length);
}

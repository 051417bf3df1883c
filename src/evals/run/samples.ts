import type { Finish } from "../../generation/token_stream.js";
import type { EvalTask } from "../task.js";
import type { Question } from "./prepare.js";

/** What every line of samples.jsonl has. */
export interface SampleLine {
  /** SHA-256 of the run's manifest.json. */
  fingerprint: string;
  task: string;
  id: string;
  /** Number of the sample of this item, from 0; above 0 only with `samples` above 1. */
  sample: number;
  /** The item that was the example in the prompt. */
  shot_id: string | null;
  /** Of the prompt, or of the context that the endings follow. */
  prompt_sha256: string;
  /** Left out with `keepPrompts: false`. */
  prompt?: string;
  n_prompt_tokens: number;
}

/** A generated answer. */
export interface GeneratedSample extends SampleLine {
  generated_ids: number[];
  /** Without the stop and what follows it, and without EOS. */
  text: string;
  finish: Exclude<Finish, "interrupted">;
  /** What was read from the text; null: nothing could be. */
  answer: string | null;
  gold: string;
  /** null where a program decides: see exec.jsonl. */
  correct: boolean | null;
}

/** Log-probabilities of the endings of one item. */
export interface LikelihoodSample extends SampleLine {
  /** One number for each ending: the sum of the natural logarithms of its tokens' probabilities. */
  logprobs: number[];
  n_tokens: number[];
  /** UTF-8 bytes that `acc_norm` divides by: of the ending without the space that parts it from the context. */
  n_bytes: number[];
  /** Index of the ending with the largest sum, of equal ones the first. */
  answer: number;
  /** The same by the sum divided by the bytes. */
  answer_norm: number;
  gold: number;
  correct: boolean;
  correct_norm: boolean;
}

export type Sample = GeneratedSample | LikelihoodSample;

/** A line of exec.jsonl: how the program that an answer makes ended. */
export interface ExecutionLine {
  task_id: string;
  sample: number;
  status: string;
  detail: string;
  ms: number;
  program_sha256: string;
  sandbox: string;
}

/**
 * A line of timing.jsonl: samples that were made together. Times lie here and not in samples.jsonl, so that two runs give the
 * same bytes there.
 */
export interface TimingLine {
  samples: number;
  ms: number;
  prompt_tokens: number;
  generated_tokens: number;
}

/** Such a line. */
export function sampleLine(
  run: { task: EvalTask; fingerprint: string; keepPrompts: boolean },
  question: Omit<Question, "ids">,
  sample: number,
  promptTokens: number,
): SampleLine {
  return {
    fingerprint: run.fingerprint,
    task: run.task.name,
    id: question.item.id,
    sample,
    shot_id: question.shotId,
    prompt_sha256: question.promptSha256,
    ...(run.keepPrompts && { prompt: question.prompt }),
    n_prompt_tokens: promptTokens,
  };
}

/** What tells samples of one run apart. */
export function sampleKey({ id, sample }: { id: string; sample: number }): string {
  return `${sample}:${id}`;
}

export function isGenerated(sample: Sample): sample is GeneratedSample {
  return "generated_ids" in sample;
}

/** Whether a line of samples.jsonl has what scoring needs. */
export function isSample(line: object): boolean {
  const { id, sample, generated_ids: ids, text, logprobs } = line as Record<string, unknown>;
  const isAnswer = Array.isArray(ids) ? typeof text === "string" : Array.isArray(logprobs);
  return typeof id === "string" && Number.isInteger(sample) && isAnswer;
}

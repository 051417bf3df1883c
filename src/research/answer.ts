import { readablePiece } from "../display/token_text.js";
import { PersimmonError } from "../errors.js";
import type { LanguageModel } from "../language_model.js";

/** A token that the model may answer with: its id, a word that is one token (`"girl"` is `▁girl`), or a piece as it is. */
export type Answer = string | number;

/** A token whose logit is looked at. */
export interface AnswerToken {
  id: number;
  /** As people read it. */
  label: string;
}

/**
 * The token that an answer stands for.
 * @param name how the option is called, for the message
 * @throws PersimmonError ANSWER_INVALID where it is no token, or more than one
 */
export function answerToken(model: LanguageModel, answer: Answer, name: string): AnswerToken {
  if (typeof answer === "number") {
    const { vocabSize } = model.config;
    if (Number.isInteger(answer) && answer >= 0 && answer < vocabSize) return labelled(model, answer);
    throw invalid(name, `an id from 0 to ${vocabSize - 1}, got ${answer}`);
  }
  if (typeof answer !== "string" || answer === "") {
    throw invalid(name, `a word that is one token, or a token id, got ${JSON.stringify(answer)}`);
  }
  const piece = answer.startsWith("▁") ? model.tokenizer.idOf(answer) : undefined;
  if (piece !== undefined) return labelled(model, piece);
  const ids = model.tokenizer.encode(answer.replace(/^ /, ""), { bos: false });
  if (ids.length === 1) return labelled(model, ids[0]);
  const pieces = ids.map((id) => model.pieceOf(id)).join(" ");
  throw invalid(name, `one token, but ${JSON.stringify(answer)} is ${ids.length} (${pieces}); give an id`);
}

/** logit(answer) − logit(wrong), or logit(answer) where there is no wrong answer. */
export function logitDifference(
  logits: ArrayLike<number>,
  answer: AnswerToken,
  wrong: AnswerToken | undefined,
): number {
  return logits[answer.id] - (wrong === undefined ? 0 : logits[wrong.id]);
}

/** How the number is called in tables and figures. */
export function differenceName(answer: AnswerToken, wrong: AnswerToken | undefined): string {
  const logit = ({ label }: AnswerToken) => `logit(${label})`;
  return wrong === undefined ? logit(answer) : `${logit(answer)} − ${logit(wrong)}`;
}

/** Tokens as labels of an axis; a space alone is visible. */
export function tokenLabels(model: LanguageModel, ids: Iterable<number>): string[] {
  return Array.from(ids, (id) => readablePiece(model.pieceOf(id)).trim() || "␣");
}

function labelled(model: LanguageModel, id: number): AnswerToken {
  return { id, label: tokenLabels(model, [id])[0] };
}

function invalid(name: string, expected: string): PersimmonError {
  return new PersimmonError("ANSWER_INVALID", `${name} must be ${expected}`);
}

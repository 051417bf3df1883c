import type { EvalItem, EvalTask } from "../task.js";
import { askAfterExample } from "./frame.js";
import { normalizedAnswer } from "./normalized_answer.js";
import { endOfAnswerLine } from "./stops.js";

/** A question with a short answer, which has other names. */
export interface TriviaItem extends EvalItem {
  readonly question: string;
  /** As it stands in an example. */
  readonly answer: string;
  /** What is right as well, in any spelling that the normalisation makes equal. */
  readonly aliases: readonly string[];
}

const instruction =
  "You are a trivia answering bot designed to answer questions. You are given a question and are supposed to output an " +
  "answer in 1-3 words. Some examples are below.\n";

/** What is compared. An answer such as "A", of which the normalisation leaves nothing, is taken in lower case. */
const comparable = (text: string) => normalizedAnswer(text) || text.trim().toLowerCase();

const isCorrect = (answer: string, item: TriviaItem) =>
  [item.answer, ...item.aliases].some((alias) => comparable(alias) === answer);

const ask = (item: TriviaItem) => `Q: ${item.question}\nA:`;

/**
 * TriviaQA (Joshi et al. 2017, "TriviaQA: A large scale distantly supervised challenge dataset for reading comprehension"),
 * asked without documents. A normalised answer must equal a normalised alias.
 */
export const triviaqa: EvalTask<TriviaItem> = {
  name: "triviaqa",
  version: 1,
  shots: 1,
  maxNewTokens: 24,
  stop: [endOfAnswerLine],
  prompt: askAfterExample(instruction, ask, (shot) => ` ${shot.answer}`),
  extract(completion, item) {
    const answer = comparable(completion);
    // Articles and punctuation alone are no answer, unless they are the right one.
    return normalizedAnswer(completion) !== "" || isCorrect(answer, item) ? answer || null : null;
  },
  gold: (item) => comparable(item.answer),
  isCorrect,
  sameQuestion: (item) => item.question,
};

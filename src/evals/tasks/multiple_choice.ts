import type { EvalItem, EvalTask } from "../task.js";
import { choiceLetters, findChoice, readChoiceLetter } from "./choice_letter.js";
import { askAfterExample } from "./frame.js";
import { endOfAnswerLine } from "./stops.js";

/** A question with options of which one is right (ARC, MMLU). */
export interface MultipleChoiceItem extends EvalItem {
  readonly question: string;
  /** 2 to 8 of them; ARC has items with 3 and 5. */
  readonly choices: readonly string[];
  /** Index of the right one. */
  readonly gold: number;
}

/** Instruction of the ARC prompts in Adept's release (persimmon-ai-labs/adept-inference, prompts.md). */
export const arcInstruction =
  "You are a bot designed to answer multiple choice questions. Given a series of options, you answer by choosing " +
  "A, B, C, or D. Some examples are below.\n";

const mmluInstruction =
  "You are a bot designed to answer questions by choosing between A, B, C, and D. Only one of these answers from the " +
  "provided choices is correct. Reply with the letter of the correct answer.\n";

/** `Question: …`, a line for each option, `Answer:`; as many letters as there are options. */
export function askChoice(question: string, options: readonly string[]): string {
  const lines = options.map((option, index) => `${choiceLetters[index]}: ${option}\n`);
  return `Question: ${question}\n${lines.join("")}Answer:`;
}

function multipleChoice(name: string, instruction: string): EvalTask<MultipleChoiceItem> {
  const ask = (item: MultipleChoiceItem) => askChoice(item.question, item.choices);
  const gold = (item: MultipleChoiceItem) => choiceLetters[item.gold];
  return {
    name,
    version: 1,
    shots: 1,
    maxNewTokens: 8,
    stop: [endOfAnswerLine],
    prompt: askAfterExample(instruction, ask, (shot) => ` ${gold(shot)}`),
    extract: (completion, item) => readChoiceLetter(completion, item.choices.length),
    extractLeniently: (completion, item) => findChoice(completion, item.choices),
    gold,
    // lm-eval's form for ARC: no instruction, no example, the options' texts and not their letters. MMLU is asked in the same
    // way here, where lm-eval compares the letters.
    likelihood: (item) => ({
      context: `Question: ${item.question}\nAnswer:`,
      endings: item.choices.map((choice) => ` ${choice}`),
      gold: item.gold,
    }),
    sameQuestion: (item) => item.question,
  };
}

/** ARC-Easy (Clark et al. 2018, "Think you have solved question answering? Try ARC"). */
export const arcEasy = multipleChoice("arc-easy", arcInstruction);

/** ARC-Challenge, of the same paper. */
export const arcChallenge = multipleChoice("arc-challenge", arcInstruction);

/** MMLU (Hendrycks et al. 2021, "Measuring massive multitask language understanding"); an example has the question's subject. */
export const mmlu = multipleChoice("mmlu", mmluInstruction);

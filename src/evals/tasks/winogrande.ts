import type { EvalItem, EvalTask } from "../task.js";
import { askAfterExample } from "./frame.js";
import { endOfAnswerLine } from "./stops.js";

/** A sentence with a blank and what may fill it. */
export interface WinograndeItem extends EvalItem {
  /** With one `_`. */
  readonly sentence: string;
  readonly option1: string;
  readonly option2: string;
  readonly answer: "1" | "2";
}

const instruction =
  "You are a bot that is responsible for answering fill-in-the-blank questions. You are provided with a sentence and " +
  "two possible fill-in-the-blank options. Your task is to return 1 or 2 as the answer.\n";

// The sentence keeps its own full stop, so that ".. 1 =" is what the release has.
const ask = (item: WinograndeItem) =>
  `Q: ${item.sentence}. 1 = ${item.option1} and 2 = ${item.option2}. Answer:`;

function readNumber(completion: string): string | null {
  return /^\s*([12])(?!\d)/.exec(completion)?.[1] ?? null;
}

/** The number of `readNumber`; else the only one that a line begins with or whose option is the whole of a line. */
function findNumber(completion: string, item: WinograndeItem): string | null {
  const strict = readNumber(completion);
  if (strict !== null) return strict;
  const named = new Set<string>();
  for (const line of completion.split("\n")) {
    const number = readNumber(line);
    if (number !== null) named.add(number);
    if (line.trim() === item.option1.trim()) named.add("1");
    if (line.trim() === item.option2.trim()) named.add("2");
  }
  return named.size === 1 ? [...named][0] : null;
}

/**
 * Winogrande (Sakaguchi et al. 2019, "WinoGrande: An adversarial Winograd schema challenge at scale"). The likelihood form is
 * the partial scoring of Trinh and Le (2018), which lm-eval uses too: how probable is what follows the filled blank.
 */
export const winogrande: EvalTask<WinograndeItem> = {
  name: "winogrande",
  version: 1,
  shots: 1,
  maxNewTokens: 4,
  stop: [endOfAnswerLine],
  prompt: askAfterExample(instruction, ask, (shot) => `\n${shot.answer}`),
  extract: (completion) => readNumber(completion),
  extractLeniently: findNumber,
  gold: (item) => item.answer,
  likelihood(item) {
    const blank = item.sentence.indexOf("_");
    const before = item.sentence.slice(0, blank);
    const after = item.sentence.slice(blank + 1);
    const context = before.trimEnd();
    const filled = [item.option1, item.option2].map((option) => before.slice(context.length) + option);
    return {
      context,
      endings: filled.map((filling) => filling + after),
      given: filled.map((filling) => filling.length),
      gold: Number(item.answer) - 1,
    };
  },
  // The twin of a sentence has the same two options, in this order or the other; so have a few other sentences, which are
  // not needed as examples for each other.
  sameQuestion: (item) => [item.option1, item.option2].sort().join("\u001f"),
};

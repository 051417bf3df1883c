import type { EvalItem, EvalTask } from "../task.js";
import { choiceLetters, findChoice, readChoiceLetter } from "./choice_letter.js";
import { askAfterExample } from "./frame.js";
import { arcInstruction, askChoice } from "./multiple_choice.js";
import { endOfAnswerLine } from "./stops.js";

/** The beginning of a story or an instruction, and endings of which one is the real one. */
export interface HellaSwagItem extends EvalItem {
  readonly ctx: string;
  readonly endings: readonly string[];
  /** Index of the right one. */
  readonly gold: number;
}

const ask = (item: HellaSwagItem) => askChoice(item.ctx, item.endings);
const goldLetter = (item: HellaSwagItem) => choiceLetters[item.gold];

/**
 * HellaSwag (Zellers et al. 2019, "HellaSwag: Can a machine really finish your sentence?"). It is made for likelihoods:
 * context, a space, ending, as in lm-eval. Adept released no prompt for it; to be generated, the endings are listed in the
 * format of ARC.
 */
export const hellaswag: EvalTask<HellaSwagItem> = {
  name: "hellaswag",
  note: "HellaSwag's own rows are prepared as lm-eval does it; in klosax's set ctx_b is not capitalised, and scores differ a little",
  version: 1,
  shots: 1,
  maxNewTokens: 8,
  stop: [endOfAnswerLine],
  prompt: askAfterExample(arcInstruction, ask, (shot) => ` ${goldLetter(shot)}`),
  extract: (completion, item) => readChoiceLetter(completion, item.endings.length),
  extractLeniently: (completion, item) => findChoice(completion, item.endings),
  gold: goldLetter,
  likelihood: (item) => ({
    context: item.ctx,
    endings: item.endings.map((ending) => ` ${ending}`),
    gold: item.gold,
  }),
  sameQuestion: (item) => item.ctx,
};

import type { EvalItem, EvalTask } from "../task.js";
import { framePrompt } from "./frame.js";
import { endOfIndentedBlock } from "./stops.js";

/** A function to be completed, and its tests. */
export interface HumanEvalItem extends EvalItem {
  /** Signature and docstring; ends with a line break. */
  readonly prompt: string;
  /** Name of the function. */
  readonly entryPoint: string;
  /** Body of the function. */
  readonly canonicalSolution: string;
  /** Defines `check(candidate)`. */
  readonly test: string;
}

const instruction =
  "You are a code-writing bot. Given a function signature, and a docstring, complete the program body. Some examples are " +
  "given below.\n";

/**
 * HumanEval (Chen et al. 2021, "Evaluating large language models trained on code"). With an example as in Adept's release;
 * without one the prompt is the item's alone, as OpenAI has it. A completion is never unparsed: empty or broken code fails
 * its tests.
 */
export const humaneval: EvalTask<HumanEvalItem> = {
  name: "humaneval",
  version: 1,
  shots: 1,
  maxNewTokens: 512,
  stop: [endOfIndentedBlock],
  prompt(item, shot, switches) {
    // The item keeps the one to three line breaks that its prompt begins with; they part it from the example.
    const example = shot === undefined ? "" : shot.prompt.replace(/^\n+/, "") + shot.canonicalSolution;
    const body = example + item.prompt;
    const asked = switches.finalNewline ? body : body.replace(/\n$/, "");
    return framePrompt(shot === undefined ? "" : instruction, asked, switches);
  },
  extract: (completion) => completion,
  gold: (item) => item.canonicalSolution,
  program: (completion, item) => `${item.prompt}${completion}\n${item.test}\ncheck(${item.entryPoint})`,
  sameQuestion: (item) => item.prompt,
};

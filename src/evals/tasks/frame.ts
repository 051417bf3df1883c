import { chatPrompt } from "../../generation/chat.js";
import type { EvalItem, EvalTask, PromptSwitches } from "../task.js";

/**
 * A prompt as the model gets it: the instruction with its prefix and what follows, as one turn of the chat format if the
 * switches say so. The chat format takes white space off both ends (`chatPrompt`).
 * @param instruction ends with a line break; "" for a prompt without one, which then has no prefix either
 */
export function framePrompt(instruction: string, body: string, switches: PromptSwitches): string {
  const prefix = instruction === "" ? "" : switches.instructionPrefix;
  const text = prefix + instruction + body;
  return switches.chat ? chatPrompt(text) : text;
}

/**
 * The `prompt` of a task whose prompts are an instruction, an example with its answer, a blank line, and the question.
 * @param ask the question, up to where the answer begins
 * @param answer the answer of an example, with the space or line break in front of it
 */
export function askAfterExample<Item extends EvalItem>(
  instruction: string,
  ask: (item: Item) => string,
  answer: (item: Item) => string,
): EvalTask<Item>["prompt"] {
  return (item, shot, switches) => {
    const example = shot === undefined ? "" : `${ask(shot)}${answer(shot)}\n\n`;
    return framePrompt(instruction, example + ask(item), switches);
  };
}

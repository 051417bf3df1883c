import { chatPrompt } from "../../generation/chat.js";
import type { PromptSwitches } from "../task.js";

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

import type { PromptSwitches } from "../../../src/evals/task.js";

/** What a run has when nothing is switched. */
export const switches: PromptSwitches = { finalNewline: true, instructionPrefix: "", chat: false };

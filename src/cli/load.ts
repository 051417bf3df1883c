import type { LanguageModel } from "../index.js";
import { loadOptions, type ModelOptions } from "./options.js";
import { ProgressLine } from "./progress_line.js";

/** Loads the model that the options name, with a progress line on a terminal. */
export async function loadFromOptions(options: ModelOptions): Promise<LanguageModel> {
  // Here and not at the top: `persimmon --help` needs no addon.
  const { loadModel, planText } = await import("../index.js");
  const progress = new ProgressLine();
  try {
    return await loadModel(options.model, {
      ...loadOptions(options),
      onProgress: progress.show,
      onMemory: (plan) => progress.say(planText(plan)),
    });
  } finally {
    progress.end();
  }
}

import type { LanguageModel } from "../index.js";
import { loadOptions, type ModelOptions } from "./options.js";

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

/** A line on the terminal that says how far loading or converting is; nothing where there is no terminal. */
export class ProgressLine {
  private readonly live = process.stderr.isTTY === true;
  private shown = "";

  readonly show = ({ stage, loaded, total }: { stage: string; loaded: number; total: number }) => {
    const text = `${stage} ${Math.floor((100 * loaded) / Math.max(1, total))} %`;
    if (this.live && text !== this.shown) process.stderr.write(`\r\x1b[K${text}`);
    this.shown = text;
  };

  /** A line that stays. */
  say(text: string): void {
    if (this.live) process.stderr.write(`\r\x1b[K${text}\n`);
  }

  end(): void {
    if (this.live) process.stderr.write("\r\x1b[K");
  }
}

import type { LanguageModel } from "../index.js";
import { loadOptions, type ModelOptions } from "./options.js";
import { TransferRate } from "./transfer_rate.js";

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
  private readonly rate = new TransferRate();
  private shown = "";

  readonly show = ({ stage, loaded, total }: { stage: string; loaded: number; total: number }) => {
    const percent = `${Math.floor((100 * loaded) / Math.max(1, total))} %`;
    const text = `${stage} ${stage === "download" ? this.rate.text(loaded, total) : percent}`;
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

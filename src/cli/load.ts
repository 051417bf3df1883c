import type { LanguageModel } from "../index.js";
import { loadOptions, type ModelOptions } from "./options.js";

/** Loads the model that the options name, with a progress line on a terminal. */
export async function loadFromOptions(options: ModelOptions): Promise<LanguageModel> {
  // Here and not at the top: `persimmon --help` needs no addon.
  const { loadModel } = await import("../index.js");
  const live = process.stderr.isTTY === true;
  let shown = "";
  try {
    return await loadModel(options.model, {
      ...loadOptions(options),
      onProgress: ({ stage, loaded, total }) => {
        const text = `${stage} ${Math.floor((100 * loaded) / Math.max(1, total))} %`;
        if (live && text !== shown) process.stderr.write(`\r\x1b[K${text}`);
        shown = text;
      },
    });
  } finally {
    if (live) process.stderr.write("\r\x1b[K");
  }
}

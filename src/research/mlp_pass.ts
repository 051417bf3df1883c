import { progress } from "../display/progress.js";
import { PersimmonError } from "../errors.js";
import { interruptSignal, throwIfInterrupted } from "../host.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { optionChecks } from "../option_checks.js";
import type { Site } from "../runtime/sites.js";
import type { Tensor } from "../tensor/tensor.js";

export interface PassOptions {
  /** Whether each text begins with the BOS token; default: as the tokenizer says. */
  bos?: boolean;
  /** Tokens of one forward pass; default: as many as keep the activations below 512 MB, at most 256. */
  chunkTokens?: number;
  /** Ends the work early, as the notebook's stop button does. */
  signal?: AbortSignal;
  /** Show a progress bar; true. */
  progress?: boolean;
}

/** What all passes over texts can be told. */
export const passOptionNames = ["bos", "chunkTokens", "signal", "progress"] satisfies (keyof PassOptions)[];

/** Values at the wanted sites for some tokens of a text that follow one another. */
export interface Chunk {
  /** Index of the text. */
  text: number;
  /** Position of the first token in its text. */
  start: number;
  /** How many tokens of all texts came before. */
  before: number;
  ids: readonly number[];
  /** Row-major, [tokens, intermediate] */
  values: Map<Site, Float32Array>;
}

const chunkBytes = 512e6;
const mostTokens = 256;

/** The texts as ids. One text, or a list of texts; a list of numbers is one text of ids. */
export function encodeTexts(
  model: LanguageModel,
  texts: Prompt | readonly Prompt[],
  bos?: boolean,
): number[][] {
  const isOne = typeof texts === "string" || ArrayBuffer.isView(texts) || typeof texts?.[0] === "number";
  const list = isOne ? [texts as Prompt] : (texts as readonly Prompt[]);
  if (!Array.isArray(list) || list.length === 0) {
    throw new PersimmonError(
      "PROMPT_EMPTY",
      "give a text, a list of token ids, or a list of texts with at least one",
    );
  }
  return list.map((text) => model.encodePrompt(text, bos));
}

/**
 * Runs texts through the model, each by itself and in chunks over a growing KV cache, and hands out the values inside the
 * MLPs. It takes no logits, which would be the largest part (`runWithCache` gives them).
 * @throws PersimmonError SITE_MISSING where a swapped MLP does not mark a wanted site
 */
export async function* mlpPass(
  model: LanguageModel,
  texts: readonly (readonly number[])[],
  sites: readonly Site[],
  options: PassOptions & { label: string },
): AsyncGenerator<Chunk, void, undefined> {
  const chunkTokens = checkedChunk(options.chunkTokens, sites.length * model.config.intermediateSize * 4);
  const signal = interruptSignal(options.signal);
  const total = texts.reduce((sum, ids) => sum + ids.length, 0);
  using bar =
    options.progress === false ? undefined : progress({ total, label: options.label, unit: "tokens" });
  let before = 0;
  for (const [text, ids] of texts.entries()) {
    using sequence = model.kv.createSequence();
    for (let start = 0; start < ids.length; start += chunkTokens) {
      throwIfInterrupted(signal);
      const chunk = ids.slice(start, start + chunkTokens);
      const seen = new Map<string, Tensor>();
      const observer = {
        wants: (site: string) => (sites as readonly string[]).includes(site),
        see: (site: string, value: Tensor) => seen.set(site, value.reshape(value.shape).keep()),
      };
      try {
        const batch = [{ sequence, ids: chunk, logits: "last" }] as const;
        using _logits = await model.runtime.forward(batch, { observer, signal });
        const values = new Map<Site, Float32Array>();
        for (const site of sites) values.set(site, await wantedValue(seen.get(site), site));
        yield { text, start, before, ids: chunk, values };
      } finally {
        for (const value of seen.values()) value.release();
      }
      before += chunk.length;
      bar?.update(before);
    }
  }
}

function wantedValue(value: Tensor | undefined, site: Site): Promise<Float32Array> {
  if (value !== undefined) return value.data();
  throw new PersimmonError(
    "SITE_MISSING",
    `the forward pass did not come by ${site}: a module that replaces the MLP has to mark it with nn.tap("${site.split(".").at(-1)}", value)`,
  );
}

function checkedChunk(tokens: number | undefined, bytesPerToken: number): number {
  if (tokens === undefined) return Math.max(1, Math.min(mostTokens, Math.floor(chunkBytes / bytesPerToken)));
  const invalid = (message: string) => new PersimmonError("SPARSITY_OPTIONS_INVALID", message);
  return optionChecks(invalid).whole("chunkTokens", tokens, 1);
}

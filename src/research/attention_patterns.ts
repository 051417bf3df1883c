import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import { interruptSignal } from "../host.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import type { Site } from "../runtime/sites.js";
import { tokenLabels } from "./answer.js";
import { AttentionPatterns } from "./attention_patterns_result.js";
import { observe } from "./observe.js";
import { checkedMaxBytes } from "./run_with_cache.js";

export interface AttentionPatternsOptions {
  /** Layers whose patterns are kept; default: all. */
  layers?: readonly number[];
  /** Heads whose patterns are kept; default: all. */
  heads?: readonly number[];
  bos?: boolean;
  /** Refuse before the run when the patterns would take more bytes; 2e9. */
  maxBytes?: number;
}

const optionNames = ["layers", "heads", "bos", "maxBytes"] satisfies (keyof AttentionPatternsOptions)[];

/**
 * Which token looks at which, in every head: the softmax of the scores, each row a distribution over the tokens up to its
 * own. The layers that are looked at run without the fused kernel, with the same bits.
 * @throws PersimmonError INDEX_OUT_OF_RANGE, CACHE_OVER_BUDGET, CACHE_OPTIONS_INVALID, OPTION_UNKNOWN
 */
export async function attentionPatterns(
  model: LanguageModel,
  prompt: Prompt,
  options: AttentionPatternsOptions = {},
): Promise<AttentionPatterns> {
  checkOptionNames("attentionPatterns", options, optionNames);
  const ids = model.encodePrompt(prompt, options.bos);
  const { numHiddenLayers, numAttentionHeads } = model.config;
  const layers = chosen("layers", options.layers, numHiddenLayers);
  const heads = chosen("heads", options.heads, numAttentionHeads);
  const tokens = ids.length;
  const maxBytes = checkedMaxBytes("attentionPatterns: maxBytes", options.maxBytes);
  // All heads of a layer are computed, wanted or not.
  const bytes = layers.length * numAttentionHeads * tokens * tokens * 4;
  if (bytes > maxBytes) {
    throw new PersimmonError(
      "CACHE_OVER_BUDGET",
      `the patterns of ${layers.length} layers over ${tokens} tokens would take ${Math.ceil(bytes / 1e6)} MB, more than maxBytes of ${Math.floor(maxBytes / 1e6)} MB: choose fewer layers, a shorter text, or raise maxBytes`,
    );
  }
  const sites = layers.map((layer): Site => `layers.${layer}.attn.pattern`);
  const data = new Float32Array(layers.length * heads.length * tokens * tokens);
  using sequence = model.kv.createSequence();
  using pass = await observe(model.runtime, sequence, ids, sites, { signal: interruptSignal() });
  for (const [index, site] of sites.entries()) {
    const all = await pass.at(site).data(); // [tokens, heads, tokens]
    for (const [column, head] of heads.entries()) {
      for (let token = 0; token < tokens; token++) {
        const from = (token * numAttentionHeads + head) * tokens;
        const to = ((index * heads.length + column) * tokens + token) * tokens;
        data.set(all.subarray(from, from + tokens), to);
      }
    }
  }
  const patterns = {
    data,
    shape: [layers.length, heads.length, tokens, tokens] as AttentionPatterns["shape"],
  };
  return new AttentionPatterns(patterns.data, patterns.shape, layers, heads, tokenLabels(model, ids));
}

function chosen(name: string, wanted: readonly number[] | undefined, count: number): number[] {
  if (wanted === undefined) return Array.from({ length: count }, (_, at) => at);
  const list = Array.isArray(wanted) && wanted.length > 0 ? wanted : [undefined];
  for (const at of list) {
    if (Number.isInteger(at) && (at as number) >= 0 && (at as number) < count) continue;
    throw new PersimmonError(
      "INDEX_OUT_OF_RANGE",
      `attentionPatterns: ${name} must be a list of whole numbers from 0 to ${count - 1}, got ${valueText(wanted)}`,
    );
  }
  return [...wanted];
}

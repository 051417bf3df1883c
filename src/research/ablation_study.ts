import { progress } from "../display/progress.js";
import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import { interruptSignal, throwIfInterrupted } from "../host.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { matchSites, type Site } from "../runtime/sites.js";
import { type AblatedPart, AblationStudy } from "./ablation_result.js";
import { type EditSpec, edits } from "./edits.js";
import { encodeTexts } from "./mlp_pass.js";
import { observe } from "./observe.js";

export interface AblationOptions {
  /** Sites to ablate, each by itself; `*` stands for every layer. */
  sites?: readonly Site[];
  /** Layers whose attention and MLP are ablated, each by itself; without any option all layers. */
  layers?: readonly number[] | "all";
  /** Layers whose heads are ablated, each by itself. */
  heads?: readonly number[] | "all";
  /** What is put in place: 0, or the mean over these texts (the default), which disturbs the later layers less. */
  kind?: "zero" | "mean";
  bos?: boolean;
  signal?: AbortSignal;
  /** Show a progress bar; true. */
  progress?: boolean;
}

const optionNames = [
  "sites",
  "layers",
  "heads",
  "kind",
  "bos",
  "signal",
  "progress",
] satisfies (keyof AblationOptions)[];

const chunkTokens = 256;

/**
 * How much worse a text is predicted without a part of the model: the loss with the part's output replaced by zero or by its
 * mean over the text, minus the loss as it is. Zero ablation is the older method and can take a layer far from anything that
 * it ever saw; the mean keeps what does not depend on the token (Wang et al. 2022, "Interpretability in the Wild").
 * Whatever else is asked of the model meanwhile waits, and this for what was asked for before.
 * @param texts a text, a list of token ids, or several of them
 * @throws PersimmonError ABLATION_OPTIONS_INVALID, OPTION_UNKNOWN, SITE_UNKNOWN, PROMPT_EMPTY, INTERRUPTED; MODEL_BUSY while the model is
 *   served
 */
export async function ablationStudy(
  model: LanguageModel,
  texts: Prompt | readonly Prompt[],
  options: AblationOptions = {},
): Promise<AblationStudy> {
  checkOptionNames("ablationStudy", options, optionNames);
  const { kind = "mean" } = options;
  if (kind !== "zero" && kind !== "mean")
    throw invalid(`kind must be "zero" or "mean", got ${valueText(kind)}`);
  const parts = partsOf(model, options);
  const encoded = encodeTexts(model, texts, options.bos);
  if (encoded.every((ids) => ids.length < 2)) throw invalid("the text must have at least two tokens");
  const signal = interruptSignal(options.signal);
  return model.runtime.alone(() => study(model, encoded, parts, { ...options, kind, signal }), signal);
}

async function study(
  model: LanguageModel,
  encoded: readonly (readonly number[])[],
  parts: readonly AblatedPart[],
  { kind, signal, ...options }: AblationOptions & { kind: "zero" | "mean"; signal: AbortSignal },
): Promise<AblationStudy> {
  const sites = [...new Set(parts.map(({ site }) => site))];
  const means = kind === "mean" ? await meansOf(model, encoded, sites, signal) : undefined;
  using bar =
    options.progress === false
      ? undefined
      : progress({ total: parts.length + 1, label: `Ablation (${kind})`, unit: "runs" });
  const baseline = await lossOf(model, encoded);
  bar?.advance();
  const loss = new Float32Array(parts.length);
  for (const [index, { site, head }] of parts.entries()) {
    throwIfInterrupted(signal);
    const filter = head === undefined ? {} : { heads: [head] };
    const mean = means?.get(site);
    const spec: EditSpec = mean === undefined ? edits.zero(filter) : edits.set(mean, filter);
    using _ablated = model.edit(site, spec);
    loss[index] = await lossOf(model, encoded);
    bar?.advance();
  }
  const tokens = encoded.reduce((sum, ids) => sum + ids.length - 1, 0);
  return new AblationStudy({ kind, parts, loss, baseline, tokens });
}

function partsOf(model: LanguageModel, { sites, layers, heads }: AblationOptions): AblatedPart[] {
  const { config } = model;
  const count = config.numHiddenLayers;
  const parts: AblatedPart[] = [];
  const layerOf = (site: Site) => (site.startsWith("layers.") ? Number(site.split(".")[1]) : undefined);
  if (sites !== undefined && !Array.isArray(sites)) {
    throw invalid(`sites must be a list such as ["layers.*.mlp.out"], got ${valueText(sites)}`);
  }
  for (const site of matchSites(config, sites ?? [])) {
    if (site.endsWith(".pattern")) throw invalid(`${site} grows with the text and has no mean; ablate heads`);
    parts.push({ name: site, site, layer: layerOf(site) });
  }
  const nothing = sites === undefined && layers === undefined && heads === undefined;
  for (const layer of chosenLayers("layers", nothing ? "all" : layers, count)) {
    parts.push({ name: `attention ${layer}`, site: `layers.${layer}.attn.out`, layer });
    parts.push({ name: `MLP ${layer}`, site: `layers.${layer}.mlp.out`, layer });
  }
  for (const layer of chosenLayers("heads", heads, count)) {
    for (let head = 0; head < config.numAttentionHeads; head++) {
      parts.push({ name: `head ${layer}.${head}`, site: `layers.${layer}.attn.z`, layer, head });
    }
  }
  if (parts.length > 0) return parts;
  throw invalid("nothing to ablate: sites, layers and heads are empty");
}

function chosenLayers(name: string, layers: readonly number[] | "all" | undefined, count: number): number[] {
  if (layers === undefined) return [];
  if (layers === "all") return Array.from({ length: count }, (_, layer) => layer);
  if (!Array.isArray(layers))
    throw invalid(`${name} must be "all" or a list of layers, got ${valueText(layers)}`);
  for (const layer of layers) {
    if (Number.isInteger(layer) && layer >= 0 && layer < count) continue;
    throw invalid(`${name} must name layers from 0 to ${count - 1}, got ${valueText(layer)}`);
  }
  return [...layers];
}

/** The mean of each site over all tokens, without anything ablated. */
async function meansOf(
  model: LanguageModel,
  texts: readonly (readonly number[])[],
  sites: readonly Site[],
  signal: AbortSignal,
): Promise<Map<Site, Float32Array>> {
  const tokens = texts.reduce((sum, ids) => sum + ids.length, 0);
  const logits = sites.includes("logits") ? "all" : "last";
  const sums = new Map<Site, Float64Array>();
  for (const ids of texts) {
    using sequence = model.kv.createSequence();
    for (let start = 0; start < ids.length; start += chunkTokens) {
      throwIfInterrupted(signal);
      const chunk = ids.slice(start, start + chunkTokens);
      using pass = await observe(model.runtime, sequence, chunk, sites, { signal, logits });
      for (const site of sites) {
        const data = await pass.at(site).data();
        const width = data.length / chunk.length;
        const sum = sums.get(site) ?? new Float64Array(width);
        for (const [at, value] of data.entries()) sum[at % width] += value / tokens;
        sums.set(site, sum);
      }
    }
  }
  return new Map([...sums].map(([site, sum]) => [site, Float32Array.from(sum)]));
}

/** Mean negative log-probability of a token given those before it, in nats. */
async function lossOf(model: LanguageModel, texts: readonly (readonly number[])[]): Promise<number> {
  let sum = 0;
  let tokens = 0;
  for (const ids of texts) {
    if (ids.length < 2) continue;
    const scores = await model.logprobs(ids);
    for (const score of scores.data) sum -= score;
    tokens += scores.length;
  }
  return sum / tokens;
}

function invalid(message: string): PersimmonError {
  return new PersimmonError("ABLATION_OPTIONS_INVALID", `ablationStudy: ${message}`);
}

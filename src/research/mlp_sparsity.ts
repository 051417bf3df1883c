import { checkOptionNames, PersimmonError } from "../errors.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { optionChecks } from "../option_checks.js";
import { matchSites } from "../runtime/sites.js";
import { bytesPerWeight, type DType } from "../tensor/dtype.js";
import { encodeTexts, mlpPass, type PassOptions, passOptionNames } from "./mlp_pass.js";
import { SparsityCounts } from "./sparsity_counts.js";
import { MlpSparsity } from "./sparsity_result.js";

export interface SparsityOptions extends PassOptions {
  /** About how many bins the histogram of pre-activations has; 80. */
  bins?: number;
}

/**
 * Counts the zeros that squared ReLU makes while the model reads texts. Only counts are kept, so long texts need no more
 * memory than short ones. Zeros are counted where they are used, at `mlp.act`: a positive pre-activation below 2.6e-23 has
 * a square of zero in float32 and counts as one.
 * @param texts a text, a list of token ids, or several of them; each is read by itself
 * @throws PersimmonError as `logits` does, SPARSITY_OPTIONS_INVALID and OPTION_UNKNOWN
 */
export async function mlpSparsity(
  model: LanguageModel,
  texts: Prompt | readonly Prompt[],
  options: SparsityOptions = {},
): Promise<MlpSparsity> {
  checkOptionNames("mlpSparsity", options, [...passOptionNames, "bins"]);
  const { bins = 80 } = options;
  const invalid = (message: string) => new PersimmonError("SPARSITY_OPTIONS_INVALID", message);
  optionChecks(invalid).whole("bins", bins, 2, 10_000);
  const encoded = encodeTexts(model, texts, options.bos);
  const { config } = model;
  const ids = Int32Array.from(encoded.flat());
  const counts = new SparsityCounts(config.numHiddenLayers, config.intermediateSize, ids.length, bins);
  const sites = matchSites(config, ["layers.*.mlp.pre", "layers.*.mlp.act"]);
  for await (const chunk of mlpPass(model, encoded, sites, { ...options, label: "Counting zeros" })) {
    counts.add(chunk);
  }
  return new MlpSparsity({
    config,
    bytesPerWeight: bytesPerWeight(model.dtype as DType),
    dtype: model.dtype,
    ids,
    positions: Int32Array.from(encoded.flatMap((text) => text.map((_, position) => position))),
    pieces: [...ids].map((id) => model.pieceOf(id)),
    counts,
  });
}

import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { matchSites } from "../runtime/sites.js";
import * as ops from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import { type Chunk, encodeTexts, mlpPass, type PassOptions, passOptionNames } from "./mlp_pass.js";
import { predictable, smallCopy } from "./predicted_mlp.js";
import { expectWholeModel, type LayerPredictor, weightsOf, ZeroPredictor } from "./zero_predictor.js";

export interface PredictZerosOptions extends PassOptions {
  /** Share of the neurons above zero that are to be found, above 0 and at most 1; 0.999. */
  recall?: number;
}

/**
 * Chooses, for each layer, the threshold on the pre-activations of an int4 copy of the up projection above which its rows are
 * read: the highest one that finds the wanted share of the neurons above zero in every other text. Recall and density are
 * counted on the rest. `apply` of the result puts it in force.
 *
 * The estimates of all neurons above zero of half of the texts are kept: with one neuron in ten above zero about 236 kB a
 * token in Persimmon-8B.
 * @param texts at least two, each read by itself
 * @throws PersimmonError ZERO_PREDICTION_INVALID, ZERO_PREDICTION_UNSUPPORTED, OPTION_UNKNOWN, and as `logits` does
 */
export async function predictZeros(
  model: LanguageModel,
  texts: readonly Prompt[],
  options: PredictZerosOptions = {},
): Promise<ZeroPredictor> {
  checkOptionNames("predictZeros", options, [...passOptionNames, "recall"]);
  expectWholeModel(model);
  const { recall = 0.999 } = options;
  if (!(typeof recall === "number" && recall > 0 && recall <= 1)) {
    throw new PersimmonError(
      "ZERO_PREDICTION_INVALID",
      `recall must be above 0 and at most 1, got ${valueText(recall)}`,
    );
  }
  const encoded = encodeTexts(model, texts, options.bos);
  if (encoded.length < 2) {
    throw new PersimmonError(
      "ZERO_PREDICTION_INVALID",
      "give at least two texts: thresholds are chosen on one half of them and judged on the other",
    );
  }
  using estimator = new Estimator(model);
  const [chosen, judged] = [0, 1].map((parity) => encoded.filter((_, text) => text % 2 === parity));
  const thresholds = await chooseThresholds(model, chosen, estimator, recall, options);
  const layers = await judge(model, judged, estimator, thresholds, options);
  const count = (texts: number[][]) => texts.reduce((sum, ids) => sum + ids.length, 0);
  return new ZeroPredictor({
    weights: weightsOf(model),
    recall,
    layers,
    tokens: { chosen: count(chosen), judged: count(judged) },
  });
}

/** Pre-activations as the int4 copies of the up projections give them. */
class Estimator implements Disposable {
  private readonly ups;
  private readonly copies: Tensor[];

  constructor(private readonly model: LanguageModel) {
    this.ups = model.layers.map(({ mlp }, n) => predictable(mlp, n).denseHTo4h);
    this.copies = this.ups.map(smallCopy);
  }

  /** Of the tokens of a chunk, [tokens, intermediate]. */
  async estimates(chunk: Chunk, layer: number): Promise<Float32Array> {
    const inputs = chunk.values.get(`layers.${layer}.mlp.in`)!;
    using x = Tensor.from(this.model.device, inputs, [chunk.ids.length, this.model.config.hiddenSize]);
    using estimates = ops.linear(x, this.copies[layer], this.ups[layer].bias);
    return await estimates.data();
  }

  [Symbol.dispose](): void {
    for (const copy of this.copies) copy.release();
  }
}

/** Calls `see` with the pre-activations of every layer and the estimates of them, chunk by chunk. */
async function eachLayer(
  model: LanguageModel,
  texts: readonly number[][],
  estimator: Estimator,
  options: PassOptions & { label: string },
  see: (layer: number, pre: Float32Array, estimates: Float32Array) => void,
): Promise<void> {
  const sites = matchSites(model.config, ["layers.*.mlp.in", "layers.*.mlp.pre"]);
  for await (const chunk of mlpPass(model, texts, sites, options)) {
    for (let layer = 0; layer < model.config.numHiddenLayers; layer++) {
      see(layer, chunk.values.get(`layers.${layer}.mlp.pre`)!, await estimator.estimates(chunk, layer));
    }
  }
}

async function chooseThresholds(
  model: LanguageModel,
  texts: readonly number[][],
  estimator: Estimator,
  recall: number,
  options: PassOptions,
): Promise<number[]> {
  const live = Array.from({ length: model.config.numHiddenLayers }, (): Float32Array[] => []);
  const label = "Choosing thresholds";
  await eachLayer(model, texts, estimator, { ...options, label }, (layer, pre, estimates) => {
    live[layer].push(estimates.filter((_, at) => pre[at] > 0));
  });
  return live.map((parts) => thresholdFor(parts, recall));
}

/** The highest number that at least a share `recall` of the estimates lies above; what reads all where there are none. */
function thresholdFor(parts: readonly Float32Array[], recall: number): number {
  const sorted = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    sorted.set(part, at);
    at += part.length;
  }
  sorted.sort();
  if (sorted.length === 0) return -1e30;
  // What is read lies above the threshold, so the lowest estimate to be found must not be the threshold itself.
  const lowest = sorted[Math.floor((1 - recall) * sorted.length)];
  return lowest - Math.max(Math.abs(lowest) * 2 ** -20, 2 ** -40);
}

async function judge(
  model: LanguageModel,
  texts: readonly number[][],
  estimator: Estimator,
  thresholds: readonly number[],
  options: PassOptions,
): Promise<LayerPredictor[]> {
  const counts = thresholds.map(() => ({ all: 0, read: 0, live: 0, found: 0 }));
  await eachLayer(model, texts, estimator, { ...options, label: "Judging them" }, (layer, pre, estimates) => {
    const count = counts[layer];
    const threshold = thresholds[layer];
    count.all += pre.length;
    for (const [at, estimate] of estimates.entries()) {
      const read = estimate > threshold;
      if (read) count.read++;
      if (pre[at] > 0) {
        count.live++;
        if (read) count.found++;
      }
    }
  });
  return counts.map(({ all, read, live, found }, layer) => ({
    threshold: thresholds[layer],
    recall: live === 0 ? 1 : found / live,
    density: read / all,
  }));
}

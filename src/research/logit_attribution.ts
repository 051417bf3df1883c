import { checkOptionNames, PersimmonError } from "../errors.js";
import { interruptSignal, throwIfInterrupted } from "../host.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { LayerNorm } from "../nn/layer_norm.js";
import { Linear } from "../nn/linear.js";
import { prefill } from "../runtime/prefill.js";
import { matchSites, type Site } from "../runtime/sites.js";
import * as ops from "../tensor/ops/index.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { type Answer, type AnswerToken, answerToken, logitDifference, tokenLabels } from "./answer.js";
import { LogitAttribution } from "./logit_attribution_result.js";
import { type Observed, observe } from "./observe.js";
import { keptPositions } from "./run_with_cache.js";

export interface LogitAttributionOptions {
  /** The token whose logit is taken apart. */
  answer: Answer;
  /** A token whose logit is subtracted; default: none. */
  wrong?: Answer;
  /** Position whose next token is predicted; default: the last. */
  position?: number;
  bos?: boolean;
  signal?: AbortSignal;
}

const optionNames = [
  "answer",
  "wrong",
  "position",
  "bos",
  "signal",
] satisfies (keyof LogitAttributionOptions)[];

/** A linear function of the residual stream: what its parts give to the logit difference. */
interface Reading {
  /** [hidden] */
  direction: Float64Array;
  /** What the bias of the final LayerNorm and of the head give. */
  bias: number;
}

/**
 * Takes logit(answer) − logit(wrong) apart into what each component wrote to the residual stream: the embedding, each head,
 * each attention's bias, each MLP (direct logit attribution; Elhage et al. 2021, "A Mathematical Framework for Transformer
 * Circuits"). The scale of the final LayerNorm is frozen at what it is in this run; then the parts, with the bias, sum to
 * the logit difference of the model.
 * @throws PersimmonError ANSWER_INVALID, CACHE_OPTIONS_INVALID for a position outside of the prompt, OPTION_UNKNOWN,
 *   ATTRIBUTION_UNSUPPORTED where the final norm or the head is a module of another kind, or the model is split, SITE_MISSING where a swapped layer does not mark its parts
 */
export async function logitAttribution(
  model: LanguageModel,
  prompt: Prompt,
  options: LogitAttributionOptions,
): Promise<LogitAttribution> {
  checkOptionNames("logitAttribution", options, optionNames);
  const { ranks } = model.runtime;
  if (ranks > 1) {
    throw new PersimmonError(
      "ATTRIBUTION_UNSUPPORTED",
      `logitAttribution needs the weights of the head and of attention in one piece, but this model is split over ${ranks} ranks: load it with tensorParallel: 1`,
    );
  }
  const ids = model.encodePrompt(prompt, options.bos);
  const answer = answerToken(model, options.answer, "answer");
  const wrong = options.wrong === undefined ? undefined : answerToken(model, options.wrong, "wrong");
  const [position] = keptPositions(
    options.position === undefined ? "last" : [options.position],
    ids.length,
    "logitAttribution: position",
  );
  const { config } = model;
  const sites = matchSites(config, ["embed.out", "layers.*.attn.z", "layers.*.attn.out", "layers.*.mlp.out"]);
  const last = `layers.${config.numHiddenLayers - 1}.out` as Site;
  const signal = interruptSignal(options.signal);
  using sequence = model.kv.createSequence();
  // What comes after the position cannot change it, and only its own values are looked at.
  const rest = await prefill(model.runtime, sequence, ids.slice(0, position + 1), 1, signal);
  throwIfInterrupted(signal);
  using pass = await observe(model.runtime, sequence, rest, [...sites, last], { signal });
  const row = (site: Site) => rowAt(pass, site, position);
  const stream = await row(last);
  const { direction, bias } = await readingOf(model, stream, answer, wrong);
  const layers = config.numHiddenLayers;
  const heads = config.numAttentionHeads;
  const result = new LogitAttribution({
    answer,
    wrong,
    tokens: tokenLabels(model, ids),
    position,
    logitDifference: logitDifference(await pass.logits.data(), answer, wrong),
    embedding: dot(await row("embed.out"), direction),
    finalBias: bias,
    attention: new Float32Array(layers),
    attentionBias: new Float32Array(layers),
    heads: { data: new Float32Array(layers * heads), shape: [layers, heads] },
    mlp: new Float32Array(layers),
    rest: 0,
  });
  for (let layer = 0; layer < layers; layer++) {
    throwIfInterrupted(signal);
    result.attention[layer] = dot(await row(`layers.${layer}.attn.out`), direction);
    result.mlp[layer] = dot(await row(`layers.${layer}.mlp.out`), direction);
    const parts = await headParts(model, layer, await row(`layers.${layer}.attn.z`));
    const each = parts.map((part) => dot(part, direction));
    result.attentionBias[layer] = each[heads];
    // The last row is the bias alone, which is in every row.
    for (let head = 0; head < heads; head++)
      result.heads.data[layer * heads + head] = each[head] - each[heads];
  }
  const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);
  result.rest = dot(stream, direction) - result.embedding - sum(result.attention) - sum(result.mlp);
  return result;
}

async function rowAt(pass: Observed, site: Site, position: number): Promise<Float32Array> {
  using row = pass.rows(site, [position]);
  return await row.data();
}

/**
 * With s = sqrt(variance(x) + ε) fixed, the difference is Σ (xᵢ − mean(x)) · gᵢ / s + bias with g = weight ⊙ (W[answer] −
 * W[wrong]): linear in x, along (g − mean(g)) / s.
 */
async function readingOf(
  model: LanguageModel,
  x: Float32Array,
  answer: AnswerToken,
  wrong: AnswerToken | undefined,
): Promise<Reading> {
  const { finalLayernorm, lmHead } = model;
  if (!(finalLayernorm instanceof LayerNorm) || !(lmHead instanceof Linear)) {
    throw new PersimmonError(
      "ATTRIBUTION_UNSUPPORTED",
      `logitAttribution needs finalLayernorm to be an nn.LayerNorm and lmHead an nn.Linear, got ${(finalLayernorm as object).constructor.name} and ${(lmHead as object).constructor.name}`,
    );
  }
  const chosen = Tensor.from(model.device, Int32Array.of(answer.id, wrong?.id ?? answer.id));
  using rows = scope(() => ops.embedding(lmHead.weight, chosen));
  chosen.release();
  const [weight, normBias, headBias, unembedding] = await Promise.all([
    finalLayernorm.weight.data(),
    finalLayernorm.bias.data(),
    lmHead.bias?.data(),
    rows.data(),
  ]);
  const width = x.length;
  let mean = 0;
  for (const value of x) mean += value / width;
  let variance = 0;
  for (const value of x) variance += (value - mean) ** 2 / width;
  const scale = Math.sqrt(variance + finalLayernorm.epsilon);
  const difference = Float64Array.from(
    { length: width },
    (_, i) => unembedding[i] - (wrong === undefined ? 0 : unembedding[width + i]),
  );
  const weighted = difference.map((value, i) => value * weight[i]);
  const centre = weighted.reduce((sum, value) => sum + value, 0) / width;
  return {
    direction: weighted.map((value) => (value - centre) / scale),
    bias: dot(normBias, difference) + (headBias ? logitDifference(headBias, answer, wrong) : 0),
  };
}

/** What each head of a layer writes to the residual stream, plus the bias; in the last row the bias alone. */
async function headParts(model: LanguageModel, layer: number, z: Float32Array): Promise<Float32Array[]> {
  const { numAttentionHeads: heads, headDim } = model.config;
  const masked = new Float32Array((heads + 1) * z.length);
  for (let head = 0; head < heads; head++) {
    const from = head * headDim;
    masked.set(z.subarray(from, from + headDim), head * z.length + from);
  }
  using parts = scope(() =>
    model.layers[layer].selfAttn.dense.call(Tensor.from(model.device, masked, [heads + 1, z.length])),
  );
  const data = await parts.data();
  const width = data.length / (heads + 1);
  return Array.from({ length: heads + 1 }, (_, row) => data.subarray(row * width, (row + 1) * width));
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

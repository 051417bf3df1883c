import { isQuantizable } from "../checkpoint/index.js";
import { PersimmonError } from "../errors.js";
import type { PersimmonConfig } from "../model/config.js";

/** A part of an axis. */
export interface Range {
  first: number;
  count: number;
}

/**
 * The part of an axis that a rank has: contiguous and equal ones, but that the last may be shorter (`partOf` in
 * native/core/communicator.h).
 */
export function partOf(total: number, rank: number, ranks: number): Range {
  const each = Math.ceil(total / ranks);
  const first = Math.min(total, each * rank);
  return { first, count: Math.min(each, total - first) };
}

/**
 * The axis along which a weight is split, or undefined where every rank has all of it (Shoeybi et al. 2019, "Megatron-LM"):
 * what leads to heads, neurons and logits by output, what leads back from them by input. Rows of the fused queries, keys and values are
 * head-major, so contiguous rows are whole heads.
 */
export function splitAxis(name: string): 0 | 1 | undefined {
  if (/(^|\.)(embed_tokens|lm_head)\.weight$/.test(name)) return 0;
  if (/\.(self_attn\.query_key_value|mlp\.dense_h_to_4h)\.(weight|bias)$/.test(name)) return 0;
  if (/\.(self_attn\.dense|mlp\.dense_4h_to_h)\.weight$/.test(name)) return 1;
  return undefined;
}

/** Whether the values at a site are split over ranks; those at the others are the same on every rank. */
export function isSplitSite(site: string): boolean {
  return /\.(attn\.(q|k|v|qRot|kRot|pattern|z)|mlp\.(pre|act))$/.test(site);
}

const mostRanks = 64;

/**
 * Whether a model can be split over so many ranks.
 * @param isInt4 whether its matrices are held as int4, whose groups of 32 inputs stay whole
 * @throws PersimmonError TENSOR_PARALLEL_INVALID with what would fit
 */
export function checkSplit(config: PersimmonConfig, ranks: number, isInt4: boolean): void {
  const obstacle = obstacleTo(config, ranks, isInt4);
  if (obstacle === undefined) return;
  const fitting = Array.from({ length: mostRanks }, (_, index) => index + 1).filter(
    (count) => obstacleTo(config, count, isInt4) === undefined,
  );
  throw new PersimmonError(
    "TENSOR_PARALLEL_INVALID",
    `this model cannot be split over ${ranks} ranks: ${obstacle}; what fits: ${fitting.join(", ")}`,
  );
}

function obstacleTo(config: PersimmonConfig, ranks: number, isInt4: boolean): string | undefined {
  const { numAttentionHeads: heads, headDim, hiddenSize, intermediateSize, vocabSize } = config;
  if (heads % ranks !== 0) return `its ${heads} heads are not a multiple of ${ranks}`;
  if (intermediateSize % ranks !== 0) {
    return `the ${intermediateSize} neurons of its MLPs are not a multiple of ${ranks}`;
  }
  if (partOf(vocabSize, ranks - 1, ranks).count < 1) {
    return `its ${vocabSize} tokens are too few`;
  }
  if (!isInt4) return undefined;
  for (const [inputs, what] of [
    [heads * headDim, "outputs of attention"],
    [intermediateSize, "neurons"],
  ] as const) {
    if (isQuantizable([hiddenSize, inputs], "int4") && !isQuantizable([hiddenSize, inputs / ranks], "int4")) {
      return `int4 needs groups of 32 inputs, and a rank would have ${inputs / ranks} of the ${inputs} ${what}`;
    }
  }
  return undefined;
}

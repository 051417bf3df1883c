import type { PersimmonConfig } from "../model/config.js";
import { Persimmon, type PersimmonParts } from "../model/persimmon.js";
import { buildModules, type WeightSource } from "../runtime/build_modules.js";
import { converted, replaced } from "../runtime/load_weights.js";
import type { Tensor } from "../tensor/tensor.js";
import { InputSplitLinear, OutputSplitHead, SplitEmbedding } from "./modules.js";
import type { Rank } from "./rank_group.js";
import { partOf } from "./split.js";

/**
 * The modules of one rank: those of a model with some of the heads, neurons and tokens, where what the ranks have to put
 * together is done by modules around the plain ones.
 * @param weight gives the rank's part of each weight (`shardWeights`)
 */
export function splitModules(
  config: PersimmonConfig,
  rank: Rank,
  weight: WeightSource,
  maxLength: number,
  rope: Parameters<typeof buildModules>[4],
): PersimmonParts {
  const { device, number, ranks } = rank;
  const { numAttentionHeads, vocabSize } = config;
  const own = { ...config, numAttentionHeads: numAttentionHeads / ranks };
  const parts = buildModules(own, device, weight, maxLength, rope);
  for (const { selfAttn, mlp } of parts.layers) {
    selfAttn.dense = inputSplit(selfAttn.dense, rank);
    mlp.dense4hToH = inputSplit(mlp.dense4hToH, rank);
  }
  const { embedTokens, lmHead } = new Persimmon(config, parts);
  const { first, count } = partOf(vocabSize, number, ranks);
  const bias = lmHead.bias?.rows(first, first + count).keep();
  lmHead.bias?.release();
  return {
    ...parts,
    embedTokens: new SplitEmbedding(embedTokens.weight, vocabSize, rank),
    lmHead: new OutputSplitHead(lmHead.weight, bias, vocabSize, rank),
  };
}

function inputSplit({ weight, bias }: { weight: Tensor; bias: Tensor | undefined }, rank: Rank) {
  return new InputSplitLinear(weight, bias && widened(bias), rank);
}

/** A bfloat16 vector in float32, for `ops.add`. */
function widened(vector: Tensor): Tensor {
  return vector.dtype === "float32" ? vector : replaced(vector, converted(vector, "float32"));
}

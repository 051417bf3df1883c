/**
 * The operations that modules are composed of. Each checks its arguments, puts one native command on the stream of its
 * first tensor and returns the handle of the result at once.
 */
export { gelu, relu, reluSquared, sigmoid, silu, tanh } from "./activations.js";
export { advance, type NextInputs } from "./advance.js";
export { add, mul, scale, sub } from "./arithmetic.js";
export {
  type AttentionTap,
  attentionPattern,
  attentionValues,
  cacheAppend,
  fusedAttention,
  type HeadNorm,
  type LayerCache,
  type RotaryTables,
  rotary,
  splitHeads,
} from "./attention.js";
export { countNonFinite, countPositive, type EditArguments, type EditKind, edit, editKinds } from "./edit.js";
export { embedding, layerNorm, linear, linearWhere, matmul, rmsNorm } from "./matrix.js";
export { attention } from "./plain_attention.js";
export { max, mean, min, sum } from "./reductions.js";
export { argmax, type DrawOptions, gatherLogProbability, sample, sampleSeeded } from "./sampling.js";
export { gather, keepTopK, topK } from "./selection.js";
export { concat, slice, transpose } from "./shape.js";
export { logSoftmax, softmax } from "./softmax.js";

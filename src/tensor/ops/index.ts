/**
 * The operations that modules are composed of. Each checks its arguments, puts one native command on the stream of its
 * first tensor and returns the handle of the result at once.
 */
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
export { add, logSoftmax, reluSquared, softmax } from "./elementwise.js";
export { embedding, layerNorm, linear } from "./matrix.js";
export { argmax, gatherLogProbability, sample } from "./sampling.js";

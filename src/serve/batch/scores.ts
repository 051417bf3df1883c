import * as ops from "../../tensor/ops/index.js";
import type { Tensor } from "../../tensor/tensor.js";

/** How probable a token was under the unmodified logits, in natural logarithms. */
export interface TokenScore {
  id: number;
  logprob: number;
  /** The most likely tokens at its place, in descending order. */
  top: readonly { id: number; logprob: number }[];
}

/**
 * Scores tokens.
 * @param logits [rows, vocabulary]
 * @param targets [rows] int32: the token at each place
 * @param top how many of the most likely ones are told
 */
export async function scoreTokens(logits: Tensor, targets: Tensor, top: number): Promise<TokenScore[]> {
  using scores = ops.gatherLogProbability(logits, targets);
  if (top === 0) {
    const [ids, logprobs] = await Promise.all([targets.integers(), scores.data()]);
    return Array.from(ids, (id, row) => ({ id, logprob: logprobs[row], top: [] }));
  }
  const [, width] = logits.shape;
  const count = Math.min(top, width);
  const best = ops.topK(logits, count);
  using values = best.values;
  using indices = best.indices;
  using first = ops.argmax(logits);
  using firstScores = ops.gatherLogProbability(logits, first);
  const [ids, logprobs, topLogits, topIds, mostLikely] = await Promise.all([
    targets.integers(),
    scores.data(),
    values.data(),
    indices.integers(),
    firstScores.data(),
  ]);
  return Array.from(ids, (id, row) => ({
    id,
    logprob: logprobs[row],
    top: Array.from({ length: count }, (_, rank) => {
      const at = row * count + rank;
      // One and the same number for one token: clients compare them to see whether it was the most likely.
      const logprob =
        topIds[at] === id ? logprobs[row] : mostLikely[row] + topLogits[at] - topLogits[row * count];
      return { id: topIds[at], logprob };
    }),
  }));
}

import type { TokenChoice } from "../runtime/token_plan.js";
import * as ops from "../tensor/ops/index.js";
import type { Sampling } from "./options.js";

/** How a generation chooses its tokens, for plans: the ids that it would choose by itself. */
export function choiceInPlan(
  sampling: Pick<Sampling, "temperature" | "topK" | "topP" | "logprobs">,
): TokenChoice {
  const { temperature, topK, topP, logprobs } = sampling;
  const kind = temperature === 0 ? "argmax" : `sample ${temperature} ${topK} ${topP}`;
  return {
    signature: `${kind}${logprobs ? " logprobs" : ""}`,
    choose(logits, random) {
      const ids = temperature === 0 ? ops.argmax(logits) : ops.sampleSeeded(logits, sampling, random);
      return { ids, logprobs: logprobs ? ops.gatherLogProbability(logits, ids) : undefined };
    },
  };
}

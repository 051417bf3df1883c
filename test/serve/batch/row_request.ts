import type { RowRequest } from "../../../src/serve/batch/row.js";

/** A request for 24 tokens of greedy text, but for `changes`. */
export function rowRequest(prompt: readonly number[], changes: Partial<RowRequest> = {}): RowRequest {
  return {
    prompt,
    maxNewTokens: 24,
    temperature: 0,
    topK: 0,
    topP: 0,
    seed: 0,
    stop: [],
    endIds: [],
    top: undefined,
    scorePrompt: false,
    ...changes,
  };
}

import type { PersimmonConfig } from "../model/config.js";
import { sameBytes } from "./read_tensor.js";
import type { StoredTensor } from "./stored_tensor.js";

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/**
 * Settles what a tied head means for the tensors found, as transformers 5.18 does (tried): a file with only one of the
 * two matrices gives it to both; where both are there and equal, one is dropped; where they differ, the weights win over
 * the config and the head is not tied.
 */
export async function settleTiedHead(
  config: PersimmonConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
): Promise<{ config: PersimmonConfig; tensors: ReadonlyMap<string, StoredTensor> }> {
  const head = tensors.get(HEAD);
  if (!config.tieWordEmbeddings || head === undefined) return { config, tensors };
  const embedding = tensors.get(EMBEDDING);
  if (embedding !== undefined && !(await sameBytes(embedding, head))) {
    return { config: { ...config, tieWordEmbeddings: false }, tensors };
  }
  const settled = new Map(tensors);
  settled.delete(HEAD);
  settled.set(EMBEDDING, embedding ?? { ...head, name: EMBEDDING });
  return { config, tensors: settled };
}

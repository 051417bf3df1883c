import { copyFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Checkpoint, quantizationConfig, readRange } from "../checkpoint/index.js";
import type { PersimmonConfig, SpecialTokenIds } from "../model/config.js";
import type { WeightDType } from "../runtime/load_weights.js";
import { isScaled } from "../tensor/dtype.js";
import { TOKENIZER_FILES } from "../tokenizer/index.js";
import { dtypeAfter, type IdRange } from "./outputs.js";

/** Beside the weights: what is copied where it is there. config.json is written anew. */
const COMPANIONS = [
  "generation_config.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  ...TOKENIZER_FILES,
];

/** Copies the tokenizer and what is beside it; that of Adept's release gets its name on the hub. */
export async function copyCompanions(
  { directory, vocabulary, generationConfig }: Checkpoint,
  to: string,
): Promise<void> {
  if (vocabulary !== undefined) {
    await writeFile(join(to, "tokenizer.model"), await readRange(vocabulary));
    return;
  }
  const present = new Set(await readdir(directory).catch(() => []));
  const isRelease = generationConfig === undefined;
  for (const name of COMPANIONS) {
    if (!present.has(name)) continue;
    const newName = isRelease && name === "adept_vocab.model" ? "tokenizer.model" : name;
    await copyFile(join(directory, name), join(to, newName));
  }
}

/** The config of the source, with what the weights are now; of Adept's release with the ids of its vocabulary. */
export function newConfig(
  checkpoint: Checkpoint,
  to: WeightDType,
  ids: SpecialTokenIds,
  dropped: IdRange | undefined,
): Record<string, unknown> {
  const { quantization_config: _, dtype: __, ...config } = checkpoint.configJson;
  if (checkpoint.generationConfig === undefined) {
    config.bos_token_id = ids.bosTokenId ?? null;
    config.eos_token_id = ids.eosTokenIds[0] ?? null;
  }
  const after = dtypeAfter(checkpoint.tensors.get("model.final_layernorm.weight")!, to);
  const isCurrent =
    checkpoint.configJson.torch_dtype === undefined && checkpoint.configJson.dtype !== undefined;
  config[isCurrent ? "dtype" : "torch_dtype"] = after;
  if (dropped !== undefined) config.dropped_token_ids = dropped;
  if (isScaled(to)) {
    const shape: PersimmonConfig = { ...checkpoint.config, ...(dropped && { droppedTokenIds: dropped }) };
    config.quantization_config = quantizationConfig(shape, to);
  }
  return config;
}

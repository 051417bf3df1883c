import { join, resolve } from "node:path";
import { PersimmonError } from "../errors.js";
import {
  type PersimmonConfig,
  parseConfig,
  parseSpecialTokenIds,
  type SpecialTokenIds,
} from "../model/config.js";
import type { Checkpoint } from "./checkpoint.js";
import { kindOf, readJsonFile } from "./file.js";
import { settleTiedHead } from "./tied_head.js";
import { checkTensors } from "./validate.js";
import { readWeights } from "./weight_files.js";

// A config is about 700 bytes.
const LARGEST_CONFIG = 2 ** 20;

/**
 * Opens a directory in Hugging Face format and checks all that its files declare: every tensor of the config present,
 * none extra (rotary frequencies are ignored), shapes and number formats right, bytes inside the files and not shared.
 * Only headers are read, so it takes milliseconds at any size.
 *
 * A config with a tied head beside an `lm_head.weight` that differs from the embedding opens with
 * `config.tieWordEmbeddings` false, as in transformers.
 *
 * @throws PersimmonError CHECKPOINT_NOT_FOUND, CONFIG_MISSING, CONFIG_INVALID, CONFIG_UNSUPPORTED, WEIGHTS_MISSING,
 *   SHARD_MISSING, CHECKPOINT_*, SAFETENSORS_INVALID, ZIP_*, PICKLE_*, TENSOR_*
 */
export async function openCheckpoint(directory: string): Promise<Checkpoint> {
  const path = resolve(directory);
  const kind = await kindOf(path);
  if (kind === undefined) {
    throw notFound(
      path,
      "there is nothing at this path. Check the spelling, or give the name of a model on the hub",
    );
  }
  if (kind === "file") throw notFound(path, "found a file. Give the directory that holds it");
  const config = await readConfig(path);
  const found = await settleTiedHead(config, await readWeights(path));
  return {
    config: found.config,
    generationConfig: await readGenerationConfig(path, config),
    tensors: checkTensors(found.tensors, found.config, path),
    directory: path,
  };
}

function notFound(path: string, message: string): PersimmonError {
  return new PersimmonError(
    "CHECKPOINT_NOT_FOUND",
    `${path}: expected a directory with config.json and weights, but ${message}.`,
  );
}

async function readConfig(directory: string): Promise<PersimmonConfig> {
  const path = join(directory, "config.json");
  if ((await kindOf(path)) !== "file") {
    throw new PersimmonError(
      "CONFIG_MISSING",
      `${directory}: expected config.json, found none. Give a directory in Hugging Face format.`,
    );
  }
  return parseConfig(await readJsonFile(path, "CONFIG_INVALID", LARGEST_CONFIG), path);
}

/**
 * Where generation_config.json exists it alone decides, as in transformers 5.18 (tried): ids that it leaves out are
 * unset, even if config.json has them.
 */
async function readGenerationConfig(directory: string, config: PersimmonConfig): Promise<SpecialTokenIds> {
  const path = join(directory, "generation_config.json");
  if ((await kindOf(path)) !== "file") {
    const { bosTokenId, eosTokenIds, padTokenId } = config;
    return { bosTokenId, eosTokenIds, padTokenId };
  }
  const json = await readJsonFile(path, "CONFIG_INVALID", LARGEST_CONFIG);
  return parseSpecialTokenIds(json, path, { bosTokenId: undefined, eosTokenIds: [], padTokenId: undefined });
}

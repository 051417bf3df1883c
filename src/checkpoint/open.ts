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
import { filesOfFolder, filesOfTar, TRACKER } from "./release/files.js";
import { openRelease, type Release } from "./release/open_release.js";
import { isTarName } from "./release/tar.js";
import { settleTiedHead } from "./tied_head.js";
import { checkTensors } from "./validate.js";
import { readWeights } from "./weight_files.js";

// A config is about 700 bytes.
const LARGEST_CONFIG = 2 ** 20;

/**
 * Opens a model and checks all that its files declare: every tensor of the config present, none extra (rotary frequencies
 * are ignored), shapes and number formats right, bytes inside the files and not shared. Only headers are read, so it takes
 * milliseconds at any size.
 *
 * A directory in Hugging Face format has config.json; a config with a tied head beside an `lm_head.weight` that differs from
 * the embedding opens with `config.tieWordEmbeddings` false, as in transformers. A directory with
 * `latest_checkpointed_iteration.txt` is Adept's own release, which may also be given as the .tar that it was published
 * as; its weights are read where they lie, and of several ranks put together (see `openRelease`).
 *
 * @throws PersimmonError CHECKPOINT_NOT_FOUND, CONFIG_MISSING, CONFIG_INVALID, CONFIG_UNSUPPORTED, WEIGHTS_MISSING,
 *   SHARD_MISSING, CHECKPOINT_*, SAFETENSORS_INVALID, ZIP_*, PICKLE_*, TENSOR_*, TAR_*, RELEASE_*
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
  if (kind === "file" && !isTarName(path)) {
    throw notFound(path, "found a file. Give the directory that holds it, or the .tar of Adept's release");
  }
  if (kind === "file") return openAdept(await openRelease(await filesOfTar(path), path), path, true);
  const isRelease = (await kindOf(join(path, TRACKER))) === "file";
  if (isRelease && (await kindOf(join(path, "config.json"))) === undefined) {
    return openAdept(await openRelease(await filesOfFolder(path), path), path, false);
  }
  const configJson = await readConfig(path);
  const config = parseConfig(configJson, join(path, "config.json"));
  const found = await settleTiedHead(config, await readWeights(path));
  return {
    config: found.config,
    generationConfig: await readGenerationConfig(path, config),
    configJson: configJson as Record<string, unknown>,
    tensors: checkTensors(found.tensors, found.config, path),
    directory: path,
  };
}

async function openAdept(release: Release, path: string, isTar: boolean): Promise<Checkpoint> {
  const config = parseConfig(release.configJson, `${path} (args)`);
  const found = await settleTiedHead(config, release.tensors);
  return {
    config: found.config,
    generationConfig: undefined,
    configJson: release.configJson,
    tensors: checkTensors(found.tensors, found.config, path),
    directory: path,
    ...(isTar && release.vocabulary !== undefined && { vocabulary: release.vocabulary }),
  };
}

function notFound(path: string, message: string): PersimmonError {
  return new PersimmonError(
    "CHECKPOINT_NOT_FOUND",
    `${path}: expected a directory with config.json and weights, but ${message}.`,
  );
}

async function readConfig(directory: string): Promise<unknown> {
  const path = join(directory, "config.json");
  if ((await kindOf(path)) !== "file") {
    throw new PersimmonError(
      "CONFIG_MISSING",
      `${directory}: expected config.json, found none. Give a directory in Hugging Face format, or of Adept's release (with ${TRACKER}).`,
    );
  }
  return readJsonFile(path, "CONFIG_INVALID", LARGEST_CONFIG);
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

import { join } from "node:path";
import type { ListFileEntry } from "@huggingface/hub";
import { PersimmonError } from "../../errors.js";
import { parseConfig } from "../../model/config.js";
import { readJsonFile } from "../file.js";
import { readShardIndex } from "../shard_index.js";
import { preferredWeights } from "../weight_files.js";
import { type DownloadRequest, type OpenRepository, openRepository } from "./repository.js";

const SMALL_FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.model",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
];

/** A model in the cache, as it was downloaded. */
export interface PulledModel {
  /** Holds the files under their names. */
  directory: string;
  /** The commit that the revision is. */
  commit: string;
  /** What was asked for; `isNew` for files that were not there before. */
  files: { path: string; bytes: number; isNew: boolean }[];
}

/**
 * Fetches what loading needs of a model (config, tokenizer, one form of the weights) into the Hugging Face cache. The config
 * is read before the weights are fetched, so a model of another kind costs no download. Files that are there are kept.
 * Failures of the network are thrown as they come; see `resolveCheckpoint`.
 *
 * @param all every file of the repository instead, whatever it is
 * @throws PersimmonError CONFIG_MISSING, CONFIG_INVALID, CONFIG_UNSUPPORTED, WEIGHTS_MISSING, SHARD_MISSING, HUB_CORRUPT,
 *   HUB_LOCKED, DISK_FULL
 */
export async function downloadSnapshot(request: DownloadRequest, all = false): Promise<PulledModel> {
  const repository = await openRepository("model", request);
  const { files, sha, snapshot } = repository;
  const fetched = new Set<string>();
  const fetch = async (entries: ListFileEntry[]) => {
    for (const path of await repository.fetchAll(entries)) fetched.add(path);
  };
  const wanted = all ? [...files.values()] : await neededFiles(repository, request, fetch);
  await fetch(wanted);
  await repository.noteRevision();
  return {
    directory: snapshot,
    commit: sha,
    files: wanted.map(({ path, size }) => ({ path, bytes: size, isNew: fetched.has(path) })),
  };
}

async function neededFiles(
  { files, snapshot }: OpenRepository,
  { name, endpoint }: DownloadRequest,
  fetch: (entries: ListFileEntry[]) => Promise<void>,
): Promise<ListFileEntry[]> {
  const missing = (code: string, what: string) =>
    new PersimmonError(
      code,
      `${endpoint}: ${name} has no ${what}, so it is not a model in Hugging Face format.`,
    );
  const weights = preferredWeights(files.keys());
  if (!files.has("config.json")) throw missing("CONFIG_MISSING", "config.json");
  if (weights === undefined) throw missing("WEIGHTS_MISSING", "weights (safetensors or pytorch_model.bin)");
  await fetch([files.get("config.json")!]);
  const config = join(snapshot, "config.json");
  parseConfig(await readJsonFile(config, "CONFIG_INVALID"), `${endpoint}: ${name}: config.json`);

  const needed = SMALL_FILES.filter((file) => files.has(file));
  needed.push(weights.file);
  if (weights.index) {
    await fetch([files.get(weights.file)!]);
    needed.push(...(await readShardIndex(join(snapshot, weights.file))).keys());
  }
  const absent = needed.find((file) => !files.has(file));
  if (absent !== undefined) throw missing("SHARD_MISSING", `file ${absent}, which its index names`);
  return needed.map((file) => files.get(file)!);
}

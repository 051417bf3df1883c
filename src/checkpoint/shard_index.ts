import { join } from "node:path";
import { PersimmonError } from "../errors.js";
import { kindOf, readJsonFile } from "./file.js";
import { isHarmless } from "./harmless.js";
import { count, nameList } from "./name_list.js";
import type { StoredTensor } from "./stored_tensor.js";

/**
 * Reads an index (`model.safetensors.index.json`, `pytorch_model.bin.index.json`): which file holds which tensors.
 * A file is named without any folder: what lies outside the checkpoint is never opened.
 *
 * @throws PersimmonError CHECKPOINT_INDEX_INVALID
 */
export async function readShardIndex(path: string): Promise<Map<string, Set<string>>> {
  return parseShardIndex(await readJsonFile(path, "CHECKPOINT_INDEX_INVALID"), path);
}

/** The same of what the file holds. */
export function parseShardIndex(json: unknown, path: string): Map<string, Set<string>> {
  const invalid = (message: string) => new PersimmonError("CHECKPOINT_INDEX_INVALID", `${path}: ${message}.`);
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map) || Object.keys(map).length === 0) {
    throw invalid('expected an object "weight_map" from tensor names to file names');
  }
  const shards = new Map<string, Set<string>>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[^/\\\0:]+$/.test(file) || file === "." || file === "..") {
      const found = JSON.stringify(file);
      throw invalid(`tensor "${name}" must be in a file of the same directory, but the index says ${found}`);
    }
    const names = shards.get(file) ?? new Set();
    shards.set(file, names.add(name));
  }
  return shards;
}

/**
 * Reads all files of an index with `readShard`; each holds exactly the tensors that the index puts there.
 * `metadata.total_size` is not compared: transformers ignores it, and converted files carry stale ones.
 *
 * @throws PersimmonError SHARD_MISSING, CHECKPOINT_INDEX_MISMATCH and what reading a shard throws
 */
export async function readShards(
  directory: string,
  indexPath: string,
  readShard: (path: string) => Promise<Map<string, StoredTensor>>,
): Promise<Map<string, StoredTensor>> {
  const shards = await readShardIndex(indexPath);
  const absent: string[] = [];
  for (const file of shards.keys()) if ((await kindOf(join(directory, file))) !== "file") absent.push(file);
  if (absent.length > 0) {
    const missing = `${count(absent, "file")} of ${shards.size} missing: ${nameList(absent)}`;
    throw new PersimmonError("SHARD_MISSING", `${indexPath}: ${missing}. Fetch the whole checkpoint again.`);
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [file, names] of shards) {
    const path = join(directory, file);
    const shard = await readShard(path);
    compare(indexPath, path, names, shard);
    for (const name of names) tensors.set(name, shard.get(name)!);
  }
  return tensors;
}

function compare(
  indexPath: string,
  path: string,
  names: Set<string>,
  shard: Map<string, StoredTensor>,
): void {
  const absent = [...names].filter((name) => !shard.has(name));
  const unlisted = [...shard.keys()].filter((name) => !names.has(name) && !isHarmless(name));
  if (absent.length === 0 && unlisted.length === 0) return;
  const parts = [];
  if (absent.length > 0)
    parts.push(`lacks ${count(absent, "tensor")} that the index puts there: ${nameList(absent)}`);
  if (unlisted.length > 0)
    parts.push(`has ${count(unlisted, "tensor")} that the index does not: ${nameList(unlisted)}`);
  const message = `${path} ${parts.join("; it ")}. The files are not of one checkpoint: fetch all of them again.`;
  throw new PersimmonError("CHECKPOINT_INDEX_MISMATCH", `${indexPath}: ${message}`);
}

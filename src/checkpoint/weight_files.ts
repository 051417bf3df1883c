import { join } from "node:path";
import { PersimmonError } from "../errors.js";
import { kindOf } from "./file.js";
import { readSafetensorsHeader } from "./safetensors.js";
import { readShards } from "./shard_index.js";
import type { StoredTensor } from "./stored_tensor.js";
import { readTorchBin } from "./torch_bin/torch_bin.js";

const readSafetensors = async (path: string) => (await readSafetensorsHeader(path)).tensors;

/** The names that weights have in Hugging Face format, in the order in which they are preferred. */
const FORMATS = [
  { file: "model.safetensors", index: false, read: readSafetensors },
  { file: "model.safetensors.index.json", index: true, read: readSafetensors },
  { file: "pytorch_model.bin", index: false, read: readTorchBin },
  { file: "pytorch_model.bin.index.json", index: true, read: readTorchBin },
] as const;

/** The preferred one of the weight files (or indexes of them) among `names`. */
export function preferredWeights(names: Iterable<string>): { file: string; index: boolean } | undefined {
  const present = new Set(names);
  return FORMATS.find(({ file }) => present.has(file));
}

/**
 * Reads what the weight files of a directory declare: `model.safetensors`, its sharded form, `pytorch_model.bin` or its
 * sharded form, whichever is found first.
 *
 * @throws PersimmonError WEIGHTS_MISSING and what reading the files throws
 */
export async function readWeights(directory: string): Promise<Map<string, StoredTensor>> {
  for (const { file, index, read } of FORMATS) {
    const path = join(directory, file);
    if ((await kindOf(path)) === "file") return index ? readShards(directory, path, read) : read(path);
  }
  throw new PersimmonError(
    "WEIGHTS_MISSING",
    `${directory}: expected one of ${FORMATS.map(({ file }) => file).join(", ")}, found none. ` +
      "The directory holds a config but no weights: fetch them, or convert the checkpoint to Hugging Face format.",
  );
}

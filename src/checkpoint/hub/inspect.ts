import { PersimmonError } from "../../errors.js";
import { type PersimmonConfig, parseConfig } from "../../model/config.js";
import type { CheckpointTensor } from "../checkpoint.js";
import { parseJson } from "../file.js";
import { safetensorsHeader } from "../safetensors.js";
import { parseShardIndex } from "../shard_index.js";
import type { StoredTensor } from "../stored_tensor.js";
import { checkTensors } from "../validate.js";
import { preferredWeights } from "../weight_files.js";
import { RemoteFile, readSmallFile } from "./remote_file.js";
import { type DownloadRequest, type OpenRepository, openRepository } from "./repository.js";

/** A model on the hub whose weights have not been fetched. */
export interface RemoteCheckpoint {
  /** `owner/name` */
  name: string;
  commit: string;
  config: PersimmonConfig;
  /** The files of the weights, and what they and all else that loading needs take. */
  weightFiles: { path: string; bytes: number }[];
  /** Undefined for `.bin` files, whose tensors are declared in their middle. */
  tensors: Map<string, CheckpointTensor> | undefined;
  /** What training.json says, where there is one. */
  training: unknown;
}

const LARGEST_CONFIG = 2 ** 20;
const LARGEST_INDEX = 2 ** 24;

/**
 * Reads config.json, the index, and the headers of safetensors files, each header by two requests for ranges. Nothing is kept.
 * @throws PersimmonError CONFIG_MISSING, CONFIG_INVALID, CONFIG_UNSUPPORTED, WEIGHTS_MISSING, SHARD_MISSING, HUB_CORRUPT,
 *   SAFETENSORS_INVALID, CHECKPOINT_*, TENSOR_*; failures of the network as they come
 */
export async function inspectRepository(request: DownloadRequest): Promise<RemoteCheckpoint> {
  const repository = await openRepository("model", request);
  const { sha, files, client, blobOf } = repository;
  const where = (path: string) => `${request.endpoint}: ${request.name}: ${path}`;
  const small = async (path: string, largest: number, code: string) =>
    parseJson(await readSmallFile(client, blobOf(files.get(path)!), largest), where(path), code);
  const weights = preferredWeights(files.keys());
  if (!files.has("config.json"))
    throw new PersimmonError("CONFIG_MISSING", `${where("config.json")}: there is none.`);
  if (weights === undefined)
    throw new PersimmonError(
      "WEIGHTS_MISSING",
      `${request.endpoint}: ${request.name}: found neither safetensors nor pytorch_model.bin.`,
    );
  const config = parseConfig(
    await small("config.json", LARGEST_CONFIG, "CONFIG_INVALID"),
    where("config.json"),
  );
  const paths = weights.index
    ? [
        ...parseShardIndex(
          await small(weights.file, LARGEST_INDEX, "CHECKPOINT_INDEX_INVALID"),
          where(weights.file),
        ).keys(),
      ]
    : [weights.file];
  const absent = paths.find((path) => !files.has(path));
  if (absent !== undefined)
    throw new PersimmonError("SHARD_MISSING", `${where(absent)}: its index names it, but it is not there.`);
  const training = files.has("training.json")
    ? await small("training.json", LARGEST_INDEX, "JSON").catch((error: unknown) => {
        if (error instanceof PersimmonError) return undefined; // it may be anything
        throw error;
      })
    : undefined;
  return {
    name: request.name,
    commit: sha,
    config,
    weightFiles: paths.map((path) => ({ path, bytes: files.get(path)!.size })),
    tensors: paths[0].endsWith(".safetensors")
      ? checkTensors(
          await declared(repository, paths, config),
          config,
          `${request.endpoint}: ${request.name}`,
        )
      : undefined,
    training,
  };
}

/** The tensors of safetensors files; of a tied head beside its embedding, the embedding. */
async function declared(
  { files, client, blobOf }: OpenRepository,
  paths: readonly string[],
  config: PersimmonConfig,
): Promise<Map<string, StoredTensor>> {
  const tensors = new Map<string, StoredTensor>();
  for (const path of paths) {
    const header = await safetensorsHeader(new RemoteFile(client, blobOf(files.get(path)!)));
    for (const [name, tensor] of header.tensors) tensors.set(name, tensor);
  }
  if (config.tieWordEmbeddings && tensors.has("model.embed_tokens.weight")) tensors.delete("lm_head.weight");
  return tensors;
}

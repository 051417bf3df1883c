import { PersimmonError } from "../../errors.js";
import { type FileRange, readRange } from "../file.js";
import { isHarmless } from "../harmless.js";
import { nameList } from "../name_list.js";
import type { StoredTensor } from "../stored_tensor.js";
import { readTorchBin } from "../torch_bin/torch_bin.js";
import { configOfArgs } from "./config.js";
import { TRACKER } from "./files.js";
import { type MegatronState, readMegatronPickle } from "./megatron_pickle.js";
import { mergeRanks } from "./merge_ranks.js";
import { huggingFaceName } from "./names.js";

/** What a release holds, in the words of Hugging Face format. */
export interface Release {
  /** As config.json would have it, without the ids of special tokens. */
  configJson: Record<string, unknown>;
  tensors: Map<string, StoredTensor>;
  /** `adept_vocab.model`, where it is there. */
  vocabulary: FileRange | undefined;
}

/**
 * Reads what Adept's own release declares (github.com/persimmon-ai-labs/adept-inference, megatron/checkpointing.py):
 * `latest_checkpointed_iteration.txt` names the iteration, `iter_NNNNNNN/mp_rank_TT/model_optim_rng.pt` holds its arguments and
 * weights, one file for each tensor-parallel rank TT.
 *
 * @param files by their path in the release's folder
 * @throws PersimmonError RELEASE_INVALID, RELEASE_UNSUPPORTED (pipeline parallelism), RELEASE_RANKS_DIFFER, SHARD_MISSING,
 *   CONFIG_*, ZIP_*, PICKLE_*, CHECKPOINT_*
 */
export async function openRelease(files: ReadonlyMap<string, FileRange>, where: string): Promise<Release> {
  const iteration = await iterationFolder(files.get(TRACKER)!);
  const ranks = rankFiles(files, iteration, where);
  const states: { state: MegatronState; tensors: Map<string, StoredTensor> }[] = [];
  for (const range of ranks) states.push(await readRank(range));
  const { state } = states[0];
  checkParallelism(state, ranks.length, where);
  const tensors = await mergeRanks(
    states.map((rank) => rank.tensors),
    where,
  );
  return { configJson: configOfArgs(state, where), tensors, vocabulary: files.get("adept_vocab.model") };
}

async function iterationFolder(tracker: FileRange): Promise<string> {
  const text = (await readRange(tracker, 64)).toString("latin1").trim();
  if (text === "release") return text;
  if (/^\d{1,10}$/.test(text)) return `iter_${text.padStart(7, "0")}`;
  const found = JSON.stringify(text.slice(0, 40));
  throw new PersimmonError(
    "RELEASE_INVALID",
    `${tracker.label}: expected the number of an iteration, found ${found}.`,
  );
}

/** One file for each tensor-parallel rank, in their order. */
function rankFiles(files: ReadonlyMap<string, FileRange>, iteration: string, where: string): FileRange[] {
  const ranks = new Map<number, FileRange>();
  for (const [name, range] of files) {
    const [folder, rank, file] = name.split("/");
    const [, tensor, pipeline = "0"] = /^mp_rank_(\d{2,})(?:_(\d{3}))?$/.exec(rank ?? "") ?? [];
    if (folder !== iteration || tensor === undefined || file !== "model_optim_rng.pt") continue;
    if (Number(pipeline) > 0) throw pipelineParallel(where, name);
    if (ranks.has(Number(tensor))) {
      throw new PersimmonError("RELEASE_INVALID", `${where}: two folders are of rank ${Number(tensor)}.`);
    }
    ranks.set(Number(tensor), range);
  }
  const count = Math.max(1, ...[...ranks.keys()].map((rank) => rank + 1));
  const absent = Array.from({ length: Math.min(count, 1000) }, (_, rank) => rank).filter(
    (rank) => !ranks.has(rank),
  );
  if (absent.length > 0) {
    const names = absent.map(
      (rank) => `${iteration}/mp_rank_${String(rank).padStart(2, "0")}/model_optim_rng.pt`,
    );
    throw new PersimmonError(
      "SHARD_MISSING",
      `${where}: missing ${nameList(names)}. Fetch the whole release again.`,
    );
  }
  return [...ranks].sort(([a], [b]) => a - b).map(([, range]) => range);
}

function pipelineParallel(where: string, found: string): PersimmonError {
  const what = `${found} is of a later pipeline stage, and layers split over stages are not merged here`;
  return new PersimmonError(
    "RELEASE_UNSUPPORTED",
    `${where}: expected mp_rank_TT folders only, as Adept's releases have them: ${what}. Save it with Megatron's checkpoint tool and pipeline_model_parallel_size 1.`,
  );
}

async function readRank(
  range: FileRange,
): Promise<{ state: MegatronState; tensors: Map<string, StoredTensor> }> {
  let state: MegatronState | undefined;
  const read = await readTorchBin(range, (pickle, where) => {
    state = readMegatronPickle(pickle, where);
    return state.tensors;
  });
  const tensors = new Map<string, StoredTensor>();
  for (const [theirs, tensor] of read) {
    const name = huggingFaceName(theirs);
    if (isHarmless(name)) continue;
    if (tensors.has(name)) {
      throw new PersimmonError("PICKLE_INVALID", `${range.label}: two tensors are ${JSON.stringify(name)}.`);
    }
    tensors.set(name, { ...tensor, name });
  }
  return { state: state!, tensors };
}

function checkParallelism({ args }: MegatronState, found: number, where: string): void {
  const stages = args.get("pipeline_model_parallel_size") ?? 1;
  if (stages !== 1)
    throw pipelineParallel(where, `args.pipeline_model_parallel_size is ${stages}: every file`);
  const ranks = args.get("tensor_model_parallel_size") ?? found;
  if (ranks === found) return;
  throw new PersimmonError(
    "SHARD_MISSING",
    `${where}: args.tensor_model_parallel_size is ${ranks}, but found ${found} mp_rank folders. Fetch the whole release again.`,
  );
}

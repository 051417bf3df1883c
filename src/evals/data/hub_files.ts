import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { kindOf } from "../../checkpoint/file.js";
import { candidateCommits, hubCacheDirectory, repositoryFolder } from "../../checkpoint/hub/cache.js";
import { fromHub } from "../../checkpoint/hub/from_hub.js";
import { type DownloadRequest, openRepository } from "../../checkpoint/hub/repository.js";
import { HUB_NAME } from "../../checkpoint/resolve.js";
import { PersimmonError } from "../../errors.js";
import type { SplitChoice } from "./choose_files.js";
import type { DataSet } from "./data_set.js";
import { splitName } from "./splits.js";

/** The files of a split, and where they were found. */
export interface FoundFiles {
  split: string;
  files: { path: string; subject?: string }[];
  /** As in `EvalData`. */
  source: string;
  /** Holds the files. */
  folder: string;
}

/**
 * The hub turns every public data set into parquet on this branch, for those whose own branch has a loading script or another
 * form.
 */
const convertedBranch = "refs/convert/parquet";

// "validation-00000-of-00001.parquet", with or without a hash; on the converted branch a folder "validation" with "0000.parquet".
const shard = /^(?:(.+)\/)?(\w+)-\d+-of-(\d+)(?:-\w+)?\.parquet$/;
const convertedShard = /^(.+)\/(\w+)\/\d+\.parquet$/;

/**
 * The parquet files of a split on the hub, downloaded into the Hugging Face cache and taken from there ever after, as models are.
 * @param name `owner/name` or `owner/name@revision`; default: the data set of the task
 * @throws PersimmonError DATA_SPLIT_UNKNOWN, DATA_SUBSET_UNKNOWN, DATA_OPTIONS_INVALID, DATA_MISSING, HUB_UNREACHABLE, HUB_NOT_FOUND,
 *   HUB_FORBIDDEN, HUB_CORRUPT, HUB_ABORTED, CACHE_UNWRITABLE
 */
export async function hubFiles(
  task: string,
  name: string | undefined,
  data: DataSet | undefined,
  choice: SplitChoice,
  signal: AbortSignal | undefined,
): Promise<FoundFiles> {
  const [repository = "", revision] = (name ?? data?.hub.name ?? "").split("@");
  if (!HUB_NAME.test(repository) || (revision !== undefined && !/^(?!.*\.\.)\w[\w./-]*$/.test(revision))) {
    throw new PersimmonError(
      "DATA_OPTIONS_INVALID",
      `${task}: expected "hub:owner/name" or "hub:owner/name@revision", got "hub:${name ?? ""}".`,
    );
  }
  const configuration = configurationOf(data, choice.subset);
  const revisions = revision === undefined ? ["main", convertedBranch] : [revision];
  const split = choice.split === undefined ? undefined : splitName(choice.split, data?.hasDevSplit ?? false);
  const wanted: Wanted = { configuration, split, hasDevSplit: data?.hasDevSplit ?? false };
  for (const one of revisions) {
    const cached = await cachedFiles(repository, one, wanted);
    if (cached !== undefined) return cached;
  }
  const what =
    split === undefined ? "without the name of a split the cache is not used" : `no split "${split}" of it`;
  const tried = split === undefined ? what : `there is ${what} in the cache ${hubCacheDirectory()}`;
  for (const one of revisions) {
    try {
      const found = await fromHub("dataset", repository, one, tried, { signal }, (request) =>
        download(request, wanted),
      );
      if (found !== undefined) return found;
    } catch (error) {
      // Not every data set has the converted branch.
      const isOptional = one === convertedBranch && revisions.length > 1;
      if (!(isOptional && error instanceof PersimmonError && error.code === "HUB_NOT_FOUND")) throw error;
    }
  }
  throw new PersimmonError(
    choice.subset !== undefined && data?.subsets === "file" ? "DATA_SUBSET_UNKNOWN" : "DATA_MISSING",
    `hub:${repository} has no parquet files of "${configuration ?? task}".`,
  );
}

/** Which configuration of the data set is read; undefined takes the only one. */
function configurationOf(data: DataSet | undefined, subset: string | undefined): string | undefined {
  if (subset === undefined || data?.subsets === "subject") return data?.hub.configuration;
  const sizes = /^(xs|s|m|l|xl)$/.test(subset);
  return sizes && data?.defaultSubset === "xl" ? `winogrande_${subset}` : subset;
}

/** What is looked for in a repository. */
interface Wanted {
  configuration: string | undefined;
  split: string | undefined;
  hasDevSplit: boolean;
}

/** A split of a repository: its files by what their paths say. */
interface Shards {
  split: string;
  /** How many there should be; undefined where the names do not say it. */
  total: number | undefined;
  paths: string[];
}

/** The splits of the wanted configuration. */
function shardsOf(paths: Iterable<string>, { configuration, hasDevSplit }: Wanted): Shards[] {
  const found = new Map<string, Shards & { folder: string }>();
  for (const path of paths) {
    const match = shard.exec(path) ?? convertedShard.exec(path);
    if (match === null) continue;
    const [, folder = "", name, total] = match;
    const split = splitName(name, hasDevSplit);
    const key = `${folder}/${split}`;
    const count = total === undefined ? undefined : Number(total);
    const shards = found.get(key) ?? { folder, split, total: count, paths: [] };
    shards.paths.push(path);
    found.set(key, shards);
  }
  const all = [...found.values()];
  for (const one of all) one.paths.sort();
  // A data set with one configuration keeps it in "data", or in no folder.
  const folders = configuration === undefined ? [] : [configuration];
  for (const folder of [...folders, "default", "data", ""]) {
    const inFolder = all.filter((one) => one.folder === folder);
    if (inFolder.length > 0) return inFolder;
  }
  return [];
}

async function cachedFiles(
  repository: string,
  revision: string,
  wanted: Wanted,
): Promise<FoundFiles | undefined> {
  const folder = repositoryFolder(hubCacheDirectory(), "dataset", repository);
  for (const commit of await candidateCommits(folder, revision)) {
    const snapshot = join(folder, "snapshots", commit);
    const names = await readdir(snapshot, { recursive: true }).catch(() => []);
    const present: string[] = [];
    for (const name of names) if ((await kindOf(join(snapshot, name))) === "file") present.push(name);
    const shards = shardsOf(present, wanted).find((one) => one.split === wanted.split);
    if (shards === undefined) continue;
    // Where the names do not say how many there are, the first one tells: it is fetched last.
    const { total, paths } = shards;
    const isComplete = total === undefined ? /\/0+\.parquet$/.test(paths[0]) : total === paths.length;
    if (isComplete) return foundFiles(repository, commit, snapshot, shards);
  }
  return undefined;
}

function foundFiles(repository: string, commit: string, folder: string, shards: Shards): FoundFiles {
  const files = shards.paths.map((path) => ({ path: join(folder, path) }));
  return { split: shards.split, files, source: `hub:${repository}@${commit}`, folder };
}

/** @returns undefined where the branch has no parquet files of the configuration */
async function download(request: DownloadRequest, wanted: Wanted): Promise<FoundFiles | undefined> {
  const { name } = request;
  const { sha, files, snapshot, fetchAll, noteRevision } = await openRepository("dataset", request);
  const all = shardsOf(files.keys(), wanted);
  if (all.length === 0) return undefined;
  const { split } = wanted;
  const shards = split === undefined && all.length === 1 ? all[0] : all.find((one) => one.split === split);
  if (shards === undefined) {
    const names = all.map((one) => one.split).sort();
    const problem = split === undefined ? "holds several splits" : `has no split "${split}"`;
    throw new PersimmonError(
      "DATA_SPLIT_UNKNOWN",
      `hub:${name}@${sha} ${problem}; choose one of ${names.join(", ")}.`,
    );
  }
  await fetchAll(shards.paths.map((path) => files.get(path)!).reverse()); // the last first: see cachedFiles
  await noteRevision();
  return foundFiles(name, sha, snapshot, shards);
}

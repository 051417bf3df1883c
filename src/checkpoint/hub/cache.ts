import { readdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { kindOf } from "../file.js";
import { readShardIndex } from "../shard_index.js";
import { preferredWeights } from "../weight_files.js";

export type Environment = Record<string, string | undefined>;

/** Replaces a leading `~` by the home directory, as a shell does. */
export function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}

/** The user's folder for caches: XDG_CACHE_HOME, else `~/.cache`. */
export function cacheHome(environment: Environment = process.env): string {
  return expandHome(environment.XDG_CACHE_HOME || join(homedir(), ".cache"));
}

/**
 * Where the Python package huggingface_hub keeps downloads: HF_HUB_CACHE, else `hub` in its home.
 * Both programs share what is there.
 */
export function hubCacheDirectory(environment: Environment = process.env): string {
  const stated = environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE;
  if (stated) return expandHome(stated);
  return join(hubHome(environment), "hub");
}

/** HF_HOME, else `~/.cache/huggingface` (XDG_CACHE_HOME in place of `~/.cache`). */
export function hubHome(environment: Environment): string {
  return expandHome(environment.HF_HOME || join(cacheHome(environment), "huggingface"));
}

/** What the hub keeps in repositories and we read. */
export type HubKind = "model" | "dataset";

/** Folder of one repository in the cache; it holds `blobs`, `refs` and `snapshots`. */
export function repositoryFolder(cacheDirectory: string, kind: HubKind, name: string): string {
  return join(cacheDirectory, `${kind}s--${name.replaceAll("/", "--")}`);
}

/**
 * A complete snapshot of a model: that of the revision, or, where the cache does not know the branch `main`, the newest.
 *
 * @param revision branch, tag or full commit hash
 */
export async function cachedSnapshot(
  cacheDirectory: string,
  name: string,
  revision: string,
): Promise<string | undefined> {
  const folder = repositoryFolder(cacheDirectory, "model", name);
  const snapshots = join(folder, "snapshots");
  for (const commit of await candidateCommits(folder, revision)) {
    const snapshot = join(snapshots, commit);
    if (await isComplete(snapshot)) return snapshot;
  }
  return undefined;
}

/** Commits of a revision that the cache of a repository may have, the likeliest first. */
export async function candidateCommits(folder: string, revision: string): Promise<string[]> {
  const snapshots = join(folder, "snapshots");
  const known = await readFile(join(folder, "refs", revision), "utf8").catch(() => undefined);
  if (known !== undefined) return /^[\w-]+$/.test(known.trim()) ? [known.trim()] : [];
  if (revision !== "main") return [revision];
  const commits = await readdir(snapshots).catch(() => []);
  const dated = await Promise.all(
    commits.map(async (commit) => ({ commit, date: (await stat(join(snapshots, commit))).mtimeMs })),
  );
  return dated.sort((a, b) => b.date - a.date).map(({ commit }) => commit);
}

/** Whether config and all weight files are there: a broken download leaves some of them out. */
async function isComplete(snapshot: string): Promise<boolean> {
  const names = await readdir(snapshot).catch(() => []);
  const weights = preferredWeights(names);
  if (weights === undefined || (await kindOf(join(snapshot, "config.json"))) !== "file") return false;
  const path = join(snapshot, weights.file);
  if ((await kindOf(path)) !== "file") return false;
  if (!weights.index) return true;
  const shards = await readShardIndex(path);
  for (const file of shards.keys()) if ((await kindOf(join(snapshot, file))) !== "file") return false;
  return true;
}

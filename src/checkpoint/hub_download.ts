import { createHash, randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { ListFileEntry } from "@huggingface/hub";
import { PersimmonError } from "../errors.js";
import { parseConfig } from "../model/config.js";
import { kindOf, readJsonFile } from "./file.js";
import { repositoryFolder } from "./hub_cache.js";
import { readShardIndex } from "./shard_index.js";
import { preferredWeights } from "./weight_files.js";

/** How far a download is; bytes of files that were there already count as done. */
export interface DownloadProgress {
  /** The file that is being fetched. */
  file: string;
  bytes: number;
  totalBytes: number;
}

export interface DownloadRequest {
  /** `owner/name`. */
  name: string;
  revision: string;
  cacheDirectory: string;
  /** Such as `https://huggingface.co`. */
  endpoint: string;
  token: string | undefined;
  signal: AbortSignal | undefined;
  onProgress: ((progress: DownloadProgress) => void) | undefined;
}

const SMALL_FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.model",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
];

/**
 * Fetches what loading needs of a model (config, tokenizer, one form of the weights) into the Hugging Face cache and
 * returns the snapshot's directory. The config is read before the weights are fetched, so a model of another kind costs
 * no download. Files that are there are kept. Failures of the network are thrown as they come; see `resolveCheckpoint`.
 *
 * @throws PersimmonError CONFIG_MISSING, CONFIG_INVALID, CONFIG_UNSUPPORTED, WEIGHTS_MISSING, HUB_CORRUPT
 */
export async function downloadSnapshot(request: DownloadRequest): Promise<string> {
  const { name, endpoint } = request;
  const { files, snapshot, fetcher, noteRevision } = await openRepository("model", request);

  const missing = (code: string, what: string) =>
    new PersimmonError(
      code,
      `${endpoint}: ${name} has no ${what}, so it is not a model in Hugging Face format.`,
    );
  const weights = preferredWeights(files.keys());
  if (!files.has("config.json")) throw missing("CONFIG_MISSING", "config.json");
  if (weights === undefined) throw missing("WEIGHTS_MISSING", "weights (safetensors or pytorch_model.bin)");
  await fetcher.fetchAll([files.get("config.json")!]);
  const config = join(snapshot, "config.json");
  parseConfig(await readJsonFile(config, "CONFIG_INVALID"), `${endpoint}: ${name}: config.json`);

  const needed = SMALL_FILES.filter((file) => files.has(file));
  needed.push(weights.file);
  if (weights.index) {
    await fetcher.fetchAll([files.get(weights.file)!]);
    needed.push(...(await readShardIndex(join(snapshot, weights.file))).keys());
  }
  const absent = needed.find((file) => !files.has(file));
  if (absent !== undefined) throw missing("SHARD_MISSING", `file ${absent}, which its index names`);
  await fetcher.fetchAll(needed.map((file) => files.get(file)!));
  await noteRevision();
  return snapshot;
}

/** A repository of the hub at a commit, and the place of that commit in the cache. */
export interface OpenRepository {
  sha: string;
  /** By path. */
  files: ReadonlyMap<string, ListFileEntry>;
  /** The snapshot's directory. */
  snapshot: string;
  fetcher: Fetcher;
  /** Notes that the revision is this commit, once all is there. */
  noteRevision(): Promise<void>;
}

/**
 * Lists a repository; paths that leave the snapshot are left out.
 * @throws PersimmonError HUB_CORRUPT; failures of the network as they come
 */
export async function openRepository(
  type: "model" | "dataset",
  request: DownloadRequest,
): Promise<OpenRepository> {
  const hub = await import("@huggingface/hub");
  const { name, revision, endpoint } = request;
  const common = { hubUrl: endpoint, fetch: hubFetch(request) };
  const wanted = { ...common, name, revision, additionalFields: ["sha" as const] };
  const { sha } = await (type === "model" ? hub.modelInfo(wanted) : hub.datasetInfo(wanted));
  if (!/^\w+$/.test(sha))
    throw new PersimmonError("HUB_CORRUPT", `${endpoint}: ${name}: ${sha} is no commit.`);
  const repo = { type, name };
  // All that a model needs lies side by side.
  const recursive = type === "dataset";
  const files = new Map<string, ListFileEntry>();
  for await (const entry of hub.listFiles({ ...common, repo, revision: sha, recursive })) {
    if (entry.type === "file" && isInside(entry.path)) files.set(entry.path, entry);
  }
  const folder = repositoryFolder(request.cacheDirectory, type, name);
  const snapshot = join(folder, "snapshots", sha);
  const open = async (path: string) => {
    const blob = await hub.downloadFile({ ...common, repo, path, revision: sha });
    if (blob === null)
      throw new PersimmonError("HUB_CORRUPT", `${endpoint}: ${name} lists ${path} but does not have it.`);
    return blob.stream() as ReadableStream<Uint8Array>;
  };
  const fetcher = new Fetcher(folder, snapshot, open, request);
  return { sha, files, snapshot, fetcher, noteRevision: () => writeReference(folder, revision, sha) };
}

/** Whether a listed path stays below the snapshot. */
function isInside(path: string): boolean {
  return !path.startsWith("/") && !path.split("/").includes("..");
}

/** Adds the token, for the endpoint's own origin only: a redirect to a content server must not get it. */
function hubFetch({ endpoint, token, signal }: DownloadRequest): typeof fetch {
  const origin = new URL(endpoint).origin;
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    if (token && url.origin === origin && !headers.has("authorization"))
      headers.set("authorization", `Bearer ${token}`);
    return fetch(input, { ...init, headers, signal: signal ?? init?.signal });
  };
}

/** Notes which commit a revision is, as the cache's readers expect it. */
async function writeReference(folder: string, revision: string, sha: string): Promise<void> {
  if (revision === sha) return;
  const path = join(folder, "refs", revision);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, sha);
}

/** Puts files into the cache's layout: content in `blobs/<id>`, and a link to it in the snapshot. */
class Fetcher {
  constructor(
    private readonly folder: string,
    private readonly snapshot: string,
    private readonly open: (path: string) => Promise<ReadableStream<Uint8Array>>,
    private readonly request: DownloadRequest,
  ) {}

  async fetchAll(entries: ListFileEntry[]): Promise<void> {
    const totalBytes = entries.reduce((sum, entry) => sum + entry.size, 0);
    let done = 0;
    for (const entry of entries) {
      const report = (bytes: number) =>
        this.request.onProgress?.({ file: entry.path, bytes: done + bytes, totalBytes });
      await this.fetchOne(entry, report);
      done += entry.size;
      report(0);
    }
  }

  private async fetchOne(entry: ListFileEntry, report: (bytes: number) => void): Promise<void> {
    const link = join(this.snapshot, entry.path);
    if ((await kindOf(link)) === "file") return;
    const id = entry.lfs?.oid ?? entry.oid ?? "";
    if (!/^\w+$/.test(id))
      throw this.corrupt(entry, `expected an id of its content, found ${JSON.stringify(id)}`);
    const blob = join(this.folder, "blobs", id);
    if ((await kindOf(blob)) === undefined) await this.download(entry, blob, report);
    await mkdir(dirname(link), { recursive: true });
    await rm(link, { force: true }); // a link to content that is gone
    await symlink(relative(dirname(link), blob), link);
  }

  private async download(entry: ListFileEntry, blob: string, report: (bytes: number) => void): Promise<void> {
    await mkdir(dirname(blob), { recursive: true });
    const incomplete = `${blob}.${process.pid}-${randomBytes(6).toString("hex")}.incomplete`;
    const hash = createHash("sha256");
    let bytes = 0;
    const count = async function* (source: AsyncIterable<Uint8Array>) {
      for await (const chunk of source) {
        bytes += chunk.byteLength;
        hash.update(chunk);
        report(bytes);
        yield chunk;
      }
    };
    try {
      const source = Readable.fromWeb(await this.open(entry.path));
      await pipeline(source, count, createWriteStream(incomplete, { flags: "wx" }), {
        signal: this.request.signal,
      });
      if (bytes !== entry.size) throw this.corrupt(entry, `expected ${entry.size} bytes, received ${bytes}`);
      // Large files are listed with their SHA-256; small ones with a git hash, whose size alone is checked.
      if (entry.lfs !== undefined && hash.digest("hex") !== entry.lfs.oid) {
        throw this.corrupt(entry, "the received bytes do not have the SHA-256 that the hub lists");
      }
      await rename(incomplete, blob);
    } finally {
      await rm(incomplete, { force: true });
    }
  }

  private corrupt(entry: ListFileEntry, message: string): PersimmonError {
    const { endpoint, name } = this.request;
    return new PersimmonError("HUB_CORRUPT", `${endpoint}: ${name}: ${entry.path}: ${message}. Try again.`);
  }
}

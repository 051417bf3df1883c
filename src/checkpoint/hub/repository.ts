import { mkdir, readlink, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { ListFileEntry } from "@huggingface/hub";
import { PersimmonError } from "../../errors.js";
import { writeWhole } from "../../write_whole.js";
import { downloadBlob, type RemoteBlob } from "./blob_download.js";
import { type HubKind, repositoryFolder } from "./cache.js";
import { lockRepository } from "./cache_lock.js";
import { contentId } from "./checksum.js";
import { HubClient } from "./client.js";
import { checkDiskSpace } from "./disk_space.js";
import type { HubToken } from "./settings.js";

/** How far a download is; bytes of files that were there already count as done. */
export interface DownloadProgress {
  /** The file that is being fetched. */
  file: string;
  bytes: number;
  totalBytes: number;
  /** Why nothing comes at the moment, such as "status 503; trying again in 4 s". */
  pause?: string;
}

export interface DownloadRequest {
  /** `owner/name`. */
  name: string;
  revision: string;
  cacheDirectory: string;
  /** Such as `https://huggingface.co`. */
  endpoint: string;
  token: HubToken | undefined;
  signal: AbortSignal | undefined;
  onProgress: ((progress: DownloadProgress) => void) | undefined;
}

/** A repository of the hub at a commit, and the place of that commit in the cache. */
export interface OpenRepository {
  sha: string;
  /** By path; those that would leave the snapshot are left out. */
  files: ReadonlyMap<string, ListFileEntry>;
  /** The snapshot's directory. */
  snapshot: string;
  client: HubClient;
  /** Where the content of a file is found, and how it is known. Throws `HUB_CORRUPT`. */
  blobOf(entry: ListFileEntry): RemoteBlob;
  /** Fetches those that are not there. @returns paths of those that were fetched */
  fetchAll(entries: readonly ListFileEntry[]): Promise<string[]>;
  /** Notes that the revision is this commit, once all is there. */
  noteRevision(): Promise<void>;
}

/**
 * Lists a repository at a revision.
 * @throws PersimmonError HUB_CORRUPT; failures of the network as they come
 */
export async function openRepository(kind: HubKind, request: DownloadRequest): Promise<OpenRepository> {
  const hub = await import("@huggingface/hub");
  const { name, revision, endpoint, token, signal, cacheDirectory } = request;
  const onPause = (pause: string) => request.onProgress?.({ file: "", bytes: 0, totalBytes: 0, pause });
  const client = new HubClient(endpoint, token, signal, onPause);
  const common = { hubUrl: endpoint, fetch: client.fetch };
  const wanted = { ...common, name, revision, additionalFields: ["sha" as const] };
  const { sha } = await (kind === "model" ? hub.modelInfo(wanted) : hub.datasetInfo(wanted));
  if (!/^\w+$/.test(sha))
    throw new PersimmonError("HUB_CORRUPT", `${endpoint}: ${name}: ${sha} is no commit.`);
  const files = new Map<string, ListFileEntry>();
  const repo = { type: kind, name };
  for await (const entry of hub.listFiles({ ...common, repo, revision: sha, recursive: true })) {
    if (entry.type === "file" && isInside(entry.path)) files.set(entry.path, entry);
  }
  const folder = repositoryFolder(cacheDirectory, kind, name);
  const snapshot = join(folder, "snapshots", sha);
  const blobOf = (entry: ListFileEntry): RemoteBlob => {
    const what = `${endpoint}: ${name}: ${entry.path}`;
    const id = contentId(entry);
    if (id === undefined || !Number.isSafeInteger(entry.size) || entry.size < 0) {
      const found = JSON.stringify({ size: entry.size, oid: entry.lfs?.oid ?? entry.oid });
      throw new PersimmonError(
        "HUB_CORRUPT",
        `${what}: expected a size and a hash of its content, found ${found}.`,
      );
    }
    const path = entry.path.split("/").map(encodeURIComponent).join("/");
    const url = `${endpoint}/${kind === "model" ? "" : `${kind}s/`}${name}/resolve/${sha}/${path}`;
    return { url, size: entry.size, id, what };
  };
  return {
    sha,
    files,
    snapshot,
    client,
    blobOf,
    fetchAll: async (entries) => {
      const wantedFiles = entries.map(({ path }) => ({ path, blob: blobOf(files.get(path)!) }));
      return fetchInto({ folder, snapshot, client, request }, wantedFiles);
    },
    noteRevision: () => writeReference(folder, revision, sha),
  };
}

/** Whether a listed path stays below the snapshot. */
function isInside(path: string): boolean {
  return (
    !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}

/** Notes which commit a revision is, as the cache's readers expect it; nobody ever reads half of it. */
async function writeReference(folder: string, revision: string, sha: string): Promise<void> {
  if (revision === sha) return;
  const path = join(folder, "refs", revision);
  await mkdir(dirname(path), { recursive: true });
  await writeWhole(path, sha);
}

interface Place {
  folder: string;
  snapshot: string;
  client: HubClient;
  request: DownloadRequest;
}

interface WantedFile {
  path: string;
  blob: RemoteBlob;
}

/** Puts files into the cache's layout: content in `blobs/<id>`, and a link to it in the snapshot. One after the other. */
async function fetchInto(place: Place, wanted: readonly WantedFile[]): Promise<string[]> {
  const { folder, request, client } = place;
  const totalBytes = wanted.reduce((sum, { blob }) => sum + blob.size, 0);
  let done = 0;
  const report = (file: string, bytes: number, pause?: string) =>
    request.onProgress?.({ file, bytes: done + bytes, totalBytes, ...(pause && { pause }) });
  using _ = await lockRepository(folder, client.signal, (pause) => report("", 0, pause));
  const missing = new Set<WantedFile>();
  let needed = 0;
  for (const one of wanted) {
    const rest = await missingBytes(place, one);
    if (rest === undefined) continue;
    missing.add(one);
    needed += rest;
  }
  await checkDiskSpace(request.name, folder, needed);
  for (const one of wanted) {
    if (missing.has(one)) await fetchOne(place, one, (bytes, pause) => report(one.path, bytes, pause));
    done += one.blob.size;
    report(one.path, 0);
  }
  return [...missing].map(({ path }) => path);
}

function blobPath({ folder }: Place, { blob }: WantedFile): string {
  return join(folder, "blobs", blob.id.hex);
}

/** Bytes that are still to be fetched; undefined where the file is in the snapshot. */
async function missingBytes(place: Place, file: WantedFile): Promise<number | undefined> {
  const { size } = file.blob;
  if ((await sizeOf(join(place.snapshot, file.path))) === size) return undefined;
  const blob = blobPath(place, file);
  if ((await sizeOf(blob)) === size) return 0;
  return size - Math.min(size, (await sizeOf(`${blob}.incomplete`)) ?? 0);
}

async function fetchOne(
  place: Place,
  file: WantedFile,
  report: (bytes: number, pause?: string) => void,
): Promise<void> {
  const blob = blobPath(place, file);
  if ((await sizeOf(blob)) !== file.blob.size) {
    await mkdir(dirname(blob), { recursive: true });
    let bytes = 0;
    await downloadBlob(place.client, file.blob, blob, {
      onBytes: (now) => {
        bytes = now;
        report(now);
      },
      onPause: (reason) => report(bytes, reason),
    });
  }
  await link(blob, join(place.snapshot, file.path));
}

async function link(blob: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const target = relative(dirname(path), blob);
  if ((await readlink(path).catch(() => undefined)) === target) return;
  await rm(path, { force: true }); // a link to content that is gone, or a broken copy
  await symlink(target, path);
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { cacheHome } from "../../checkpoint/hub/cache.js";
import { throwIfInterrupted } from "../../host.js";
import { sha256Of } from "../../sha256.js";
import { writeWhole } from "../../write_whole.js";

/** What a file was when its hash was taken. All numbers as texts: nanoseconds do not fit into a number. */
interface Known {
  path: string;
  device: string;
  inode: string;
  size: string;
  mtime_ns: string;
  /** Changes with the content also where the time of the last write was set back. */
  ctime_ns: string;
  sha256: string;
}

export interface FileHashOptions {
  /** Where hashes are kept; default: `persimmon-lab/sha256` in the user's folder for caches. */
  directory?: string;
  /** Bytes from which on a hash is kept: below, reading takes less than 0.2 s. */
  least?: number;
}

/** A file that was written just now could be written again within the resolution of its times: its hash is not kept. */
const settledNs = 2_000_000_000n;

/**
 * SHA-256 of a file. Of a large one it is kept, and taken again only when the file is another one: by path, inode, size and the
 * times of the last write and the last change. (18 GB of weights took a minute and more at each run.) What is wrong with a
 * kept hash, or keeps one from being written, is no error: the file is read.
 */
export async function fileHash(
  file: string,
  signal: AbortSignal,
  { directory = join(cacheHome(), "persimmon-lab", "sha256"), least = 64 * 2 ** 20 }: FileHashOptions = {},
): Promise<string> {
  const path = await realpath(file);
  // The hub's cache names large files by their SHA-256.
  if (basename(dirname(path)) === "blobs" && isSha256(basename(path))) return basename(path);
  const before = await stampOf(path);
  if (BigInt(before.size) < least) return readHash(path, signal);
  const place = join(directory, `${sha256Of(path)}.json`);
  const known = await readKnown(place);
  if (known !== undefined && isSame(known, before)) return known.sha256;
  const sha256 = await readHash(path, signal);
  const isSettled = BigInt(Date.now()) * 1_000_000n - BigInt(before.mtime_ns) > settledNs;
  if (isSettled && isSame(before, await stampOf(path))) await keep(place, { ...before, sha256 });
  return sha256;
}

async function stampOf(path: string): Promise<Omit<Known, "sha256">> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return {
    path,
    device: String(dev),
    inode: String(ino),
    size: String(size),
    mtime_ns: String(mtimeNs),
    ctime_ns: String(ctimeNs),
  };
}

const stampKeys = ["path", "device", "inode", "size", "mtime_ns", "ctime_ns"] as const;

function isSame(a: Omit<Known, "sha256">, b: Omit<Known, "sha256">): boolean {
  return stampKeys.every((key) => a[key] === b[key]);
}

async function readKnown(place: string): Promise<Known | undefined> {
  try {
    const known = JSON.parse(await readFile(place, "utf8")) as Known;
    return isSha256(known.sha256) ? known : undefined;
  } catch {
    return undefined;
  }
}

async function keep(place: string, known: Known): Promise<void> {
  try {
    await mkdir(dirname(place), { recursive: true });
    await writeWhole(place, `${JSON.stringify(known, null, 2)}\n`);
  } catch {
    // The next run reads the file once more.
  }
}

async function readHash(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { signal }).catch((error) => {
    throwIfInterrupted(signal);
    throw error;
  });
  return hash.digest("hex");
}

function isSha256(text: unknown): boolean {
  return typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
}

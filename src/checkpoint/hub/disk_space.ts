import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { PersimmonError } from "../../errors.js";

/** A file system that is full to the last byte is no good place to work. */
const MARGIN = 16 * 2 ** 20;

/**
 * Makes sure that a download fits before it begins.
 * @param folder need not be there yet
 * @throws PersimmonError DISK_FULL
 */
export async function checkDiskSpace(what: string, folder: string, needed: number): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || needed === 0 || needed + MARGIN <= free) return;
  throw new PersimmonError(
    "DISK_FULL",
    `${what}: ${size(needed)} are still to be downloaded, but there are ${size(free)} free in ${folder}. ` +
      "Free some space, or set HF_HOME to a folder on another disk.",
  );
}

/** Bytes that this user may still write below a folder; undefined where the system does not say. */
async function freeBytes(folder: string): Promise<number | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined);
    if (found !== undefined) return found.bavail * found.bsize;
    if (at === dirname(at)) return undefined;
  }
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

import { statfs } from "node:fs/promises";
import { dirname } from "node:path";

/** Bytes that this user may still write below a folder; undefined where the system does not say. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined);
    if (found !== undefined) return found.bavail * found.bsize;
    if (at === dirname(at)) return undefined;
  }
}

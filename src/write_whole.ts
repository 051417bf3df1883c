import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";

/**
 * Writes a small file in one step: a reader finds all of it, or what was there before. Failures of the file system are thrown
 * as they come, and leave nothing behind.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const made = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(made, text, { flush: true });
    await rename(made, path);
  } finally {
    await rm(made, { force: true });
  }
}

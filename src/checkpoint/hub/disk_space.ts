import { PersimmonError } from "../../errors.js";
import { freeBytes } from "../free_bytes.js";
import { sizeText } from "../size_text.js";

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
    `${what}: ${sizeText(needed)} are still to be downloaded, but there are ${sizeText(free)} free in ${folder}. ` +
      "Free some space, or set HF_HOME to a folder on another disk.",
  );
}

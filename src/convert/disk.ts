import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { freeBytes } from "../checkpoint/free_bytes.js";
import { PersimmonError } from "../errors.js";

// For config, tokenizer (6 MB at 8B size) and journal.
const BESIDE_WEIGHTS = 16 * 2 ** 20;

/**
 * Checks that a file of `size` bytes has room on its disk, what it takes already counted.
 * @throws PersimmonError DISK_FULL
 */
export async function checkSpace(path: string, size: number): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  const needed = size - (there === undefined ? 0 : there.blocks * 512);
  if (needed <= 0) return;
  const free = await freeBytes(dirname(path));
  const beside = Math.min(BESIDE_WEIGHTS, size / 10);
  if (free === undefined || free >= needed + beside) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(3)} GB`;
  throw new PersimmonError(
    "DISK_FULL",
    `${dirname(path)}: the new weights need ${gigabytes(needed + beside)} more, and the disk has ${gigabytes(free)}. Free some, or convert to a folder on another disk.`,
  );
}

/** What a failure to write means: DISK_FULL, or CHECKPOINT_UNWRITABLE. Other errors stay what they are. */
export function writeFailure(error: unknown, target: string, kept: string): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  const full = code === "ENOSPC" || code === "EDQUOT";
  const advice = full ? "Free some space and run it again" : "Run it again when that is mended";
  return new PersimmonError(
    full ? "DISK_FULL" : "CHECKPOINT_UNWRITABLE",
    [`${target}: cannot be written: ${error.message}.`, kept, `${advice}.`]
      .filter((part) => part !== "")
      .join(" "),
    { cause: error },
  );
}

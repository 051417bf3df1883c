import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PersimmonError } from "../../errors.js";
import { describeHolder, ProcessLock } from "../../process_lock.js";

const POLL = 250;

/**
 * Keeps a second process from downloading into the same folder of a repository; it waits until the first one has ended, and then
 * finds all there. The lock lies where huggingface_hub has its own, under another name: those are locks of the operating
 * system, which Node cannot take; version 2 of it writes parts under names of its own, and is not in the way.
 *
 * @throws PersimmonError HUB_LOCKED when a process of another machine has it, of which nobody knows whether it still lives
 */
export async function lockRepository(
  folder: string,
  signal: AbortSignal | undefined,
  onPause: (reason: string) => void,
): Promise<Disposable> {
  const path = join(dirname(folder), ".locks", basename(folder), "persimmon.lock");
  await mkdir(dirname(path), { recursive: true });
  for (;;) {
    const taken = ProcessLock.take(path);
    if (taken instanceof ProcessLock) return taken;
    const { holder } = taken;
    if (holder?.host !== hostname()) {
      throw new PersimmonError(
        "HUB_LOCKED",
        `${describeHolder(holder)} is downloading to ${folder}: wait until it has ended. If it is no more, remove ${path} and start again.`,
      );
    }
    onPause(`waiting for process ${holder.pid}, which is downloading the same`);
    await sleep(POLL, undefined, { signal });
  }
}

import { hostname } from "node:os";
import { join } from "node:path";
import { PersimmonError } from "../../errors.js";
import { describeHolder, type LockHolder, ProcessLock } from "../../process_lock.js";
import { attempt } from "./journal.js";

/** Keeps a second process out of a run folder. */
export class FolderLock implements Disposable {
  readonly #lock: ProcessLock;

  /** Throws `RUN_LOCKED` while another process, or another run of this one, holds it. */
  constructor(folder: string) {
    const path = join(folder, "lock");
    const taken = attempt(path, () => ProcessLock.take(path));
    if (!(taken instanceof ProcessLock)) throw lockedError(folder, path, taken.holder);
    this.#lock = taken;
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }
}

function lockedError(folder: string, path: string, holder: LockHolder | undefined): PersimmonError {
  const elsewhere =
    holder?.host === hostname() ? "" : ` If that process is no more, remove ${path} and start again.`;
  return new PersimmonError(
    "RUN_LOCKED",
    `${describeHolder(holder)} is working in the run folder ${folder}: wait until it has ended, or choose another folder.${elsewhere}`,
  );
}

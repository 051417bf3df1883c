import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { PersimmonError } from "../../errors.js";
import { attempt } from "./journal.js";

/** Who holds a lock. */
interface Holder {
  pid: number;
  /** When that process began, so that another one with its number is not taken for it; null where the system does not say. */
  started: string | null;
  host: string;
}

/**
 * Keeps a second process out of a run folder. The lock of a process that is no more (`kill -9`, a crash) is taken over.
 */
export class FolderLock implements Disposable {
  readonly #path: string;
  readonly #content: string;

  /** Throws `RUN_LOCKED` while another process, or another run of this one, holds it. */
  constructor(folder: string) {
    this.#path = join(folder, "lock");
    const own: Holder = { pid: process.pid, started: startOf(process.pid), host: hostname() };
    this.#content = `${JSON.stringify(own)}\n`;
    while (!this.#take()) {
      const content = readIfThere(this.#path);
      if (content === undefined) continue;
      const holder = parse(content);
      if (holder === undefined || isAlive(holder)) throw lockedError(folder, this.#path, holder);
      this.#remove(content);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { force: true });
  }

  /** The file appears with its content in one step, a hard link: nobody ever reads half of it. */
  #take(): boolean {
    const own = `${this.#path}.${process.pid}.${randomUUID()}`;
    attempt(own, () => writeFileSync(own, this.#content));
    try {
      linkSync(own, this.#path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      return attempt(this.#path, () => {
        throw error;
      });
    } finally {
      rmSync(own, { force: true });
    }
  }

  /** Removes the lock of a dead process, unless someone else was quicker and has a lock there by now. */
  #remove(stale: string): void {
    const aside = `${this.#path}.${process.pid}.${randomUUID()}`;
    try {
      renameSync(this.#path, aside);
    } catch {
      return;
    }
    try {
      if (readIfThere(aside) !== stale) linkSync(aside, this.#path);
    } catch {
      // A third one has the lock: the next turn reads it.
    } finally {
      rmSync(aside, { force: true });
    }
  }
}

function lockedError(folder: string, path: string, holder: Holder | undefined): PersimmonError {
  const who = holder === undefined ? "someone" : `process ${holder.pid} on ${holder.host}`;
  const elsewhere =
    holder?.host === hostname() ? "" : ` If that process is no more, remove ${path} and start again.`;
  return new PersimmonError(
    "RUN_LOCKED",
    `${who} is working in the run folder ${folder}: wait until it has ended, or choose another folder.${elsewhere}`,
  );
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function parse(content: string): Holder | undefined {
  try {
    const holder = JSON.parse(content) as Holder;
    return Number.isInteger(holder.pid) && typeof holder.host === "string" ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Of a process of another machine nothing is known: it counts as alive. */
function isAlive({ pid, started, host }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = startOf(pid);
  return started === null || now === null || now === started;
}

/** Boot and clock tick at which a process began (Linux, proc(5)); null elsewhere. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program, in brackets, may hold spaces; the 22nd field is the 20th after it.
    return `${boot}/${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return null;
  }
}

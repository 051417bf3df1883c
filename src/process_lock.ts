import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";

/** Who holds a lock. */
export interface LockHolder {
  pid: number;
  /** When that process began, so that another one with its number is not taken for it; null where the system does not say. */
  started: string | null;
  host: string;
}

/** A file that one process has at a time. That of a process that is no more (`kill -9`, a crash) is taken over. */
export class ProcessLock implements Disposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Failures of the file system are thrown as they come.
   * @returns who has it where another process does, or another part of this one; undefined in it for a file that is no lock
   */
  static take(path: string): ProcessLock | { holder: LockHolder | undefined } {
    const own: LockHolder = { pid: process.pid, started: startOf(process.pid), host: hostname() };
    const content = `${JSON.stringify(own)}\n`;
    while (!create(path, content)) {
      const found = readIfThere(path);
      if (found === undefined) continue;
      const holder = parse(found);
      if (holder === undefined || isAlive(holder)) return { holder };
      remove(path, found);
    }
    return new ProcessLock(path);
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { force: true });
  }
}

/** `process 17 on host`, or `someone`. */
export function describeHolder(holder: LockHolder | undefined): string {
  return holder === undefined ? "someone" : `process ${holder.pid} on ${holder.host}`;
}

/** The file appears with its content in one step, a hard link: nobody ever reads half of it. */
function create(path: string, content: string): boolean {
  const own = `${path}.${process.pid}.${randomUUID()}`;
  try {
    writeFileSync(own, content);
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Removes the lock of a dead process, unless someone else was quicker and has a lock there by now. */
function remove(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  try {
    if (readIfThere(aside) !== stale) linkSync(aside, path);
  } catch {
    // A third one has the lock: the next turn reads it.
  } finally {
    rmSync(aside, { force: true });
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function parse(content: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(content) as LockHolder;
    return Number.isInteger(holder.pid) && typeof holder.host === "string" ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Of a process of another machine nothing is known: it counts as alive. */
function isAlive({ pid, started, host }: LockHolder): boolean {
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

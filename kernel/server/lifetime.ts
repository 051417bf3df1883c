import { readdirSync, readFileSync } from "node:fs";

const PARENT_CHECK_MS = 500;

/** Calls back when the process that started the kernel has ended; Jupyter's server may have been killed. */
export function watchParent(onDeath: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onDeath();
  }, PARENT_CHECK_MS);
  timer.unref();
}

/** The processes that a process has started, and theirs, so far as the system tells (Linux). */
export function descendantsOf(pid: number): number[] {
  const found: number[] = [];
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
      for (const child of children ? children.split(" ").map(Number) : []) {
        found.push(child, ...descendantsOf(child));
      }
    }
  } catch {
    // No /proc, or the process has ended meanwhile.
  }
  return found;
}

/** Asks all child processes to end, so that none outlives the kernel. */
export function endDescendants(): void {
  for (const pid of descendantsOf(process.pid)) {
    try {
      process.kill(pid, "SIGTERM");
    } catch {
      // It has ended already.
    }
  }
}

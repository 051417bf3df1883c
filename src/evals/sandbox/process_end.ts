import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";

/** The process that bubblewrap's info names as the first of the sandbox; undefined until it is complete. */
export function namespaceInit(info: string): number | undefined {
  const pid = /"child-pid"\s*:\s*(\d+)\b/.exec(info)?.[1];
  return pid === undefined || !info.includes("}") ? undefined : Number(pid);
}

/** Ends the first process of the sandbox that `bwrap` supervises, and so all processes in it. */
export function endNamespace(bwrap: ChildProcess, init: number): void {
  // While bubblewrap is its parent the number cannot have gone to another process.
  if (!hasEnded(bwrap) && parentOf(init) === bwrap.pid) kill(init);
}

/** Ends a command and all of its group. The group outlives the command where it left children. */
export function endGroup(child: ChildProcess): void {
  if (child.pid !== undefined) kill(-child.pid);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in brackets may itself have brackets and spaces in it; what follows has not.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

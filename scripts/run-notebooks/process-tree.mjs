import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * @returns {[number, number][]} process and parent of every process
 */
function processes() {
  if (existsSync("/proc/self/stat")) {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          // "pid (name) state parent …", and the name may hold anything, brackets and blanks too.
          const stat = readFileSync(`/proc/${name}/stat`, "utf8");
          const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
          return [/** @type {[number, number]} */ ([Number(name), Number(parent)])];
        } catch {
          return []; // It has ended meanwhile.
        }
      });
  }
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => /** @type {[number, number]} */ (line.trim().split(/\s+/).map(Number)));
}

/**
 * A process and all that it started, in whatever process groups they are.
 * @param {number} pid
 * @param {[number, number][]} [all]
 * @returns {number[]} parents before children
 */
export function processTree(pid, all = processes()) {
  const children = all.filter(([, parent]) => parent === pid).map(([child]) => child);
  return [pid, ...children.flatMap((child) => processTree(child, all))];
}

/**
 * Ends a process and all that it started at once. A kernel is in a process group of its own, so ending the group of
 * its server would leave it.
 * @param {number | undefined} pid
 */
export function killTree(pid) {
  if (pid === undefined) {
    return;
  }
  for (const member of processTree(pid)) {
    try {
      process.kill(member, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

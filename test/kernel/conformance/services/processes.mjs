import { readFileSync } from "node:fs";
import { query } from "../../../../scripts/bootstrap/run.mjs";
import { processTree } from "../../../../scripts/run-notebooks/process-tree.mjs";

/**
 * @param {number} pid
 * @returns {boolean} whether it runs; a zombie does not, though its entry stays until someone waits for it
 */
export function isAlive(pid) {
  const state = query("ps", ["-o", "stat=", "-p", String(pid)])?.trim() ?? "";
  return state !== "" && !state.startsWith("Z");
}

/**
 * @param {number} pid
 * @returns {number[]} all that it started
 */
export function descendants(pid) {
  return processTree(pid).slice(1);
}

/**
 * @param {number} pid
 * @returns {number} its memory in MB, where the system tells
 */
export function residentMegabytes(pid) {
  if (process.platform === "linux") {
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes) / 1024;
  }
  return Number(query("ps", ["-o", "rss=", "-p", String(pid)])) / 1024;
}

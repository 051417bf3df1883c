import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { killTree, processTree } from "../../../scripts/run-notebooks/process-tree.mjs";

/** Whether a process runs; a killed one may stay in the table as a zombie until its new parent collects it. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

it("finds children of children, and no others", () => {
  const all: [number, number][] = [
    [2, 1],
    [3, 2],
    [4, 3],
    [5, 1],
  ];
  expect(processTree(2, all)).toEqual([2, 3, 4]);
});

it("ends a grandchild in a process group of its own", async () => {
  const grandchild = `const c = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" }); console.log(c.pid); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ["-e", grandchild], { stdio: ["ignore", "pipe", "ignore"] });
  const [data] = await once(child.stdout, "data");
  const pid = Number(String(data));
  expect(processTree(child.pid ?? 0)).toEqual([child.pid, pid]);
  expect(isRunning(pid)).toBe(true);
  const closed = once(child, "close");
  killTree(child.pid);
  await closed;
  await expect.poll(() => isRunning(pid)).toBe(false);
});

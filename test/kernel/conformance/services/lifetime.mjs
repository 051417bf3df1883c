import assert from "node:assert/strict";
import { until } from "./kernel.mjs";
import { descendants, isAlive } from "./processes.mjs";

/**
 * A kernel that the test has used is another one now, with nothing of what was there before.
 * @param {import("./kernel.mjs").TestKernel} kernel
 * @param {number} before
 */
async function isClean(kernel, before) {
  const first = await kernel.run("process.pid");
  assert.equal(first.reply.execution_count, 1);
  assert.notEqual(Number(first.result), before);
  const { reply } = await kernel.run("kept");
  assert.equal(reply.status, "error");
  assert.match(`${reply.ename} ${reply.evalue}`, /kept/);
  await until(() => !isAlive(before), "the old process has ended");
}

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "a kernel starts, and is idle": async (start) => {
    const kernel = await start();
    await until(() => kernel.connection.status === "idle", "idle");
    const info = await kernel.connection.info;
    assert.equal(info.language_info.name, "typescript");
  },

  "a restart gives a clean state": async (start) => {
    const kernel = await start();
    await kernel.evaluate("const kept = 1");
    const before = await kernel.pid();
    const children = descendants(before);
    await kernel.connection.restart();
    await isClean(kernel, before);
    await until(() => !children.some(isAlive), "the old kernel's children have ended");
  },

  "a restart ends a cell that computes for ever": async (start) => {
    const kernel = await start();
    await kernel.evaluate("const kept = 1");
    const before = await kernel.pid();
    const cell = kernel.send('console.log("running"); while (true) {}');
    await until(() => cell.messages.some(({ content }) => content.text === "running\n"), "the cell runs");
    await kernel.connection.restart();
    await isClean(kernel, before);
  },

  "Jupyter starts a kernel that was killed again, clean, and tells so": async (start) => {
    const kernel = await start();
    await kernel.evaluate("const kept = 1");
    const before = await kernel.pid();
    const children = descendants(before);
    kernel.statuses.length = 0;
    process.kill(before, "SIGKILL");
    await until(() => kernel.statuses.includes("autorestarting"), "the client hears of the restart");
    await until(() => !children.some(isAlive), "the killed kernel's children have ended");
    await until(
      () => kernel.statuses.slice(kernel.statuses.indexOf("autorestarting")).includes("idle"),
      "the new kernel is idle",
    );
    assert.ok(!kernel.statuses.includes("dead"), kernel.statuses.join());
    await isClean(kernel, before);
  },

  "a cell that ends its own process is followed by a clean kernel": async (start) => {
    const kernel = await start();
    await kernel.evaluate("const kept = 1");
    const before = await kernel.pid();
    kernel.send("process.kill(process.pid, 'SIGKILL')");
    await until(() => kernel.statuses.includes("autorestarting"), "the client hears of the restart");
    await until(() => kernel.connection.status === "idle", "the new kernel is idle");
    await isClean(kernel, before);
  },

  "a shutdown ends the process, its language process, and what cells have started": async (start) => {
    const kernel = await start();
    const pid = await kernel.pid();
    await kernel.evaluate(
      "import { spawn } from 'node:child_process'; spawn('sleep', ['1000']); spawn('sleep', ['1000'], { detached: true })",
    );
    const children = descendants(pid);
    assert.ok(children.length >= 3, `children: ${children}`);
    await kernel.connection.shutdown();
    await until(() => ![pid, ...children].some(isAlive), "all have ended");
  },

  "a shutdown ends a cell that computes for ever": async (start) => {
    const kernel = await start();
    const pid = await kernel.pid();
    const children = descendants(pid);
    const cell = kernel.send('console.log("running"); while (true) {}');
    await until(() => cell.messages.some(({ content }) => content.text === "running\n"), "the cell runs");
    await kernel.connection.shutdown();
    await until(() => ![pid, ...children].some(isAlive), "all have ended");
  },
};

import assert from "node:assert/strict";
import { until } from "./kernel.mjs";

/**
 * Interrupts a cell once it has said "running", or asked; then all that was there before is there still.
 * @param {() => Promise<import("./kernel.mjs").TestKernel>} start
 * @param {string} code
 */
async function interruptKeepsVariables(start, code) {
  const kernel = await start();
  const before = await kernel.evaluate("let kept = { n: 41 }; process.pid");
  let asked = false;
  const cell = kernel.send(`kept.n++; console.log("running"); ${code}`, {
    onStdin: () => {
      asked = true;
    },
  });
  const asks = code.includes("prompt") || code.includes("input");
  await until(
    () => (asks ? asked : cell.messages.some(({ content }) => content.text?.includes("running"))),
    "the cell runs",
  );
  await kernel.connection.interrupt();
  const { reply } = await cell.done;
  assert.equal(reply.status, "error");
  assert.equal(await kernel.evaluate("kept.n"), "42");
  assert.equal(await kernel.evaluate("process.pid"), before);
  assert.ok(!kernel.statuses.some((status) => /restart|dead/.test(status)), kernel.statuses.join());
}

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "of an endless loop keeps variables": (start) => interruptKeepsVariables(start, "while (true) {}"),

  "of an await that never ends keeps variables": (start) =>
    interruptKeepsVariables(start, "await new Promise(() => {})"),

  "of an endless loop of short awaits keeps variables": (start) =>
    interruptKeepsVariables(start, "while (true) await Promise.resolve()"),

  "of a prompt keeps variables": (start) => interruptKeepsVariables(start, "prompt('? ')"),

  "of an awaited input keeps variables": (start) => interruptKeepsVariables(start, "await input('? ')"),

  "aborts the cells that wait behind": async (start) => {
    const kernel = await start();
    const first = kernel.send('console.log("running"); while (true) {}');
    const second = kernel.send("'never'");
    // Its reply says that what was sent before it over the same socket is in the queue.
    await kernel.connection.requestKernelInfo();
    await until(() => first.messages.some(({ content }) => content.text === "running\n"), "the cell runs");
    await kernel.connection.interrupt();
    assert.equal((await first.done).reply.status, "error");
    assert.equal((await second.done).reply.status, "aborted");
    assert.equal(await kernel.evaluate("1"), "1");
  },
};

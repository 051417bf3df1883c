import assert from "node:assert/strict";
import { descendants, residentMegabytes } from "./processes.mjs";

const CELLS = 500;

/**
 * Runs cells and measures the kernel's processes after its garbage has been collected.
 * @param {import("./kernel.mjs").TestKernel} kernel
 * @param {number} first number of the first cell
 * @param {(i: number) => string} code
 * @returns {Promise<number[]>} MB of each process
 */
async function memoryAfter(kernel, first, code) {
  for (let i = first; i < first + CELLS; i++) {
    const { reply } = await kernel.run(code(i));
    assert.equal(reply.status, "ok", (reply.traceback ?? []).join("\n"));
  }
  await kernel.evaluate(
    "for (let i = 0; i < 3; i++) { gc(); await new Promise((r) => setTimeout(r, 100)); }",
  );
  const pid = await kernel.pid();
  return [pid, ...descendants(pid)].map(residentMegabytes);
}

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "1,000 cells leave nothing behind beyond what they keep": async (start) => {
    const kernel = await start();
    await kernel.evaluate(
      `import v8 from "node:v8"; import vm from "node:vm";
       v8.setFlagsFromString("--expose-gc"); const gc = vm.runInNewContext("gc") as () => void;`,
    );
    // Each makes 1 MB that the next one drops, under a name that they share.
    const cell = (/** @type {number} */ i) => `var block = new Float64Array(131072).fill(${i}); block`;
    const half = await memoryAfter(kernel, 0, cell);
    const whole = await memoryAfter(kernel, CELLS, cell);
    console.error(half, whole);
    for (const [i, megabytes] of whole.entries()) {
      const growth = megabytes - half[i];
      assert.ok(growth < 30, `process ${i} grew by ${growth.toFixed(1)} MB over ${CELLS} cells`);
    }
  },
};

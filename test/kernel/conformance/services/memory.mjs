import assert from "node:assert/strict";
import { collectGarbage } from "./inspector.mjs";
import { descendants, residentMegabytes } from "./processes.mjs";

const CELLS = 500;
const AT_ONCE = 50;
/** The allocators keep some of what is freed: 500 cells move it by up to 15 MB here. */
const LARGEST_GROWTH_MEGABYTES = 30;
/** Freed blocks go back to the system in the background, once 36 MB of them late: what is kept stays, however often one looks. */
const LOOKS = 5;

/**
 * @param {import("./kernel.mjs").TestKernel} kernel
 * @param {number} first number of the first cell
 * @param {(i: number) => string} code
 */
async function runCells(kernel, first, code) {
  for (let start = first; start < first + CELLS; start += AT_ONCE) {
    const cells = Array.from({ length: AT_ONCE }, (_, i) => kernel.run(code(start + i)));
    for (const { reply } of await Promise.all(cells)) {
      assert.equal(reply.status, "ok", (reply.traceback ?? []).join("\n"));
    }
  }
}

/**
 * Measures the kernel's processes after their garbage has been collected. Uncollected, the language process alone swings
 * between 270 and 550 MB.
 * @param {import("./kernel.mjs").TestKernel} kernel
 * @returns {Promise<Record<string, number>>} MB of each process
 */
async function memory(kernel) {
  await kernel.evaluate(
    "for (let i = 0; i < 3; i++) { gc(); await new Promise((r) => setTimeout(r, 100)); }",
  );
  const pid = await kernel.pid();
  const [language, ...others] = descendants(pid);
  assert.deepEqual(others, [], "the language process is the only child");
  await collectGarbage(language, kernel.connection.serverSettings.WebSocket);
  return { kernel: residentMegabytes(pid), language: residentMegabytes(language) };
}

/**
 * @param {import("./kernel.mjs").TestKernel} kernel
 * @param {(i: number) => string} code
 */
async function leavesNothing(kernel, code) {
  await kernel.evaluate(
    `import v8 from "node:v8"; import vm from "node:vm";
     v8.setFlagsFromString("--expose-gc"); const gc = vm.runInNewContext("gc") as () => void;`,
  );
  await runCells(kernel, 0, code);
  const half = await memory(kernel);
  await runCells(kernel, CELLS, code);
  let whole = await memory(kernel);
  const hasGrown = () =>
    Object.keys(whole).some((name) => whole[name] - half[name] >= LARGEST_GROWTH_MEGABYTES);
  for (let look = 1; look < LOOKS && hasGrown(); look++) whole = await memory(kernel);
  for (const [name, megabytes] of Object.entries(whole)) {
    const growth = megabytes - half[name];
    assert.ok(
      growth < LARGEST_GROWTH_MEGABYTES,
      `the ${name} process grew by ${growth.toFixed(1)} MB over ${CELLS} cells, to ${megabytes.toFixed(1)} MB`,
    );
  }
}

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "1,000 cells that keep nothing leave nothing": async (start) =>
    leavesNothing(await start(), (i) => `{ const n = ${i}; console.log(n); }\n[${i}]`),

  "1,000 results of 1 MB, each under the name of the one before, leave nothing": async (start) =>
    leavesNothing(await start(), (i) => `var block = new Float64Array(131072).fill(${i}); block`),
};

import assert from "node:assert/strict";
import { collectGarbage } from "./inspector.mjs";
import { descendants, residentMegabytes } from "./processes.mjs";

const CELLS = 500;
const AT_ONCE = 50;
/** The allocators keep some of what is freed: 500 small cells move it by up to 15 MB here. */
const LARGEST_GROWTH_MEGABYTES = 30;

/** With results of 1 MB it was 36 MB once; had they all been kept, it would be 500. */
const LARGEST_GROWTH_OF_BLOCKS_MEGABYTES = 100;

/**
 * Runs cells and measures the kernel's processes after their garbage has been collected. Uncollected, the language
 * process alone swings between 270 and 550 MB.
 * @param {import("./kernel.mjs").TestKernel} kernel
 * @param {number} first number of the first cell
 * @param {(i: number) => string} code
 * @returns {Promise<Record<string, number>>} MB of each process
 */
async function memoryAfter(kernel, first, code) {
  for (let start = first; start < first + CELLS; start += AT_ONCE) {
    const cells = Array.from({ length: AT_ONCE }, (_, i) => kernel.run(code(start + i)));
    for (const { reply } of await Promise.all(cells)) {
      assert.equal(reply.status, "ok", (reply.traceback ?? []).join("\n"));
    }
  }
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
 * @param {number} [largest] growth in MB
 */
async function leavesNothing(kernel, code, largest = LARGEST_GROWTH_MEGABYTES) {
  await kernel.evaluate(
    `import v8 from "node:v8"; import vm from "node:vm";
     v8.setFlagsFromString("--expose-gc"); const gc = vm.runInNewContext("gc") as () => void;`,
  );
  const half = await memoryAfter(kernel, 0, code);
  const whole = await memoryAfter(kernel, CELLS, code);
  for (const [name, megabytes] of Object.entries(whole)) {
    const growth = megabytes - half[name];
    assert.ok(
      growth < largest,
      `the ${name} process grew by ${growth.toFixed(1)} MB over ${CELLS} cells, to ${megabytes.toFixed(1)} MB`,
    );
  }
}

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "1,000 cells that keep nothing leave nothing": async (start) =>
    leavesNothing(await start(), (i) => `{ const n = ${i}; console.log(n); }\n[${i}]`),

  "1,000 results of 1 MB, each under the name of the one before, leave nothing": async (start) =>
    leavesNothing(
      await start(),
      (i) => `var block = new Float64Array(131072).fill(${i}); block`,
      LARGEST_GROWTH_OF_BLOCKS_MEGABYTES,
    ),
};

import assert from "node:assert/strict";
import { collectGarbage } from "./inspector.mjs";
import { descendants, residentMegabytes } from "./processes.mjs";

const CELLS = 500;
const AT_ONCE = 50;
/** 500 cells move what the allocators keep by up to 15 MB here, twice by 37 MB. */
const LARGEST_GROWTH_MEGABYTES = 30;
/** What leaks grows again with every 500 cells; what the allocators once kept of freed blocks does not. */
const MEASURED_ROUNDS = 3;

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
  /** @type {Record<string, number>[]} MB of each process after each round */
  const rounds = [await memory(kernel)];
  const growths = (/** @type {string} */ name) =>
    rounds.slice(1).map((round, i) => round[name] - rounds[i][name]);
  const grows = (/** @type {string} */ name) =>
    growths(name).every((growth) => growth >= LARGEST_GROWTH_MEGABYTES);
  const names = Object.keys(rounds[0]);
  while (rounds.length <= MEASURED_ROUNDS && names.some(grows)) {
    await runCells(kernel, rounds.length * CELLS, code);
    rounds.push(await memory(kernel));
  }
  for (const name of names) {
    const megabytes = growths(name).map((growth) => growth.toFixed(1));
    assert.ok(
      !grows(name),
      `the ${name} process grew with every ${CELLS} cells, by ${megabytes.join(", ")} MB`,
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

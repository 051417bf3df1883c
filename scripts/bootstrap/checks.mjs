import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { seconds } from "./progress.mjs";

/** Where each command leaves what passed and failed, for `.ci/run` to add up. */
export const resultDirectory = join(root, "build", "test-results");

/**
 * Runs every check, also after one has failed, so that one run shows all that is wrong; then prints a line for each.
 * @param {string} command name of the result file
 * @param {import("./lint.mjs").Check[]} checks
 * @returns {Promise<number>} 0 when all passed
 */
export async function runChecks(command, checks) {
  /** @type {{ name: string, passed: boolean, skipped: boolean, elapsed: number }[]} */
  const results = [];
  for (const { name, run } of checks) {
    process.stderr.write(`\n── ${name}\n`);
    const started = Date.now();
    /** @type {number | "skipped"} */
    let outcome = 1;
    try {
      outcome = await run();
    } catch (error) {
      const { message, output } = /** @type {{ message: string, output?: string }} */ (error);
      process.stderr.write(`${output === undefined ? "" : `${output}\n`}${message}\n`);
    }
    const skipped = outcome === "skipped";
    results.push({ name, passed: skipped || outcome === 0, skipped, elapsed: Date.now() - started });
  }
  process.stderr.write("\n");
  for (const { name, passed, skipped, elapsed } of results) {
    process.stderr.write(`${skipped ? "SKIP" : passed ? "ok  " : "FAIL"}  ${name} (${seconds(elapsed)})\n`);
  }
  mkdirSync(resultDirectory, { recursive: true });
  writeFileSync(join(resultDirectory, `${command}.json`), `${JSON.stringify(results, null, 2)}\n`);
  return results.every((result) => result.passed) ? 0 : 1;
}

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { resultDirectory } from "./checks.mjs";

/**
 * @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} Totals
 * @typedef {{ name: string, fullName: string, status: string }} Assertion
 * @typedef {{ name: string, status: string, message?: string, assertionResults: Assertion[] }} TestFile
 */

/** @returns {Totals} */
const none = () => ({ passed: 0, failed: 0, skipped: 0, failures: [] });

/**
 * Counts a report of vitest's JSON reporter. A file that could not be loaded has no test to fail, and counts as one.
 * @param {{ testResults: TestFile[] }} report
 * @returns {Totals}
 */
export function countVitest({ testResults }) {
  const totals = none();
  for (const file of testResults) {
    for (const { status, fullName } of file.assertionResults) {
      if (status === "passed") {
        totals.passed++;
      } else if (status === "failed") {
        totals.failed++;
        totals.failures.push(`${file.name}: ${fullName}`);
      } else {
        totals.skipped++;
      }
    }
    if (file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed")) {
      totals.failed++;
      totals.failures.push(`${file.name}: ${file.message ?? "could not be loaded"}`);
    }
  }
  return totals;
}

/**
 * Counts a list of checks, notebooks or pictures, each of which passed, or did not, or was skipped.
 * @param {{ name?: string, notebook?: string, passed: boolean, skipped?: boolean, message?: string }[]} results
 * @returns {Totals}
 */
export function countChecks(results) {
  const failed = results.filter(({ passed }) => !passed);
  const skipped = results.filter((result) => result.passed && result.skipped === true).length;
  return {
    passed: results.length - failed.length - skipped,
    failed: failed.length,
    skipped,
    failures: failed.map(
      ({ name, notebook, message }) => `${name ?? notebook}${message ? `: ${message}` : ""}`,
    ),
  };
}

/**
 * Adds up what the commands left behind. A command that failed without a failure in its report, as when the build
 * failed before any test, counts as one failure.
 * @param {{ name: string, exitCode: number, totals: Totals | undefined }[]} commands
 * @returns {Totals}
 */
export function addUp(commands) {
  const sum = none();
  for (const { name, exitCode, totals } of commands) {
    const { passed, failed, skipped, failures } = totals ?? none();
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
    sum.failures.push(...failures.map((failure) => `${name}: ${failure}`));
    if (exitCode !== 0 && failed === 0) {
      sum.failed++;
      sum.failures.push(`${name}: exit code ${exitCode}`);
    }
  }
  return sum;
}

/**
 * @param {string} file
 * @returns {any} its JSON, or undefined when the command did not come so far
 */
function readReport(file) {
  const path = join(resultDirectory, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

/** Result files of each command that `.ci/run` runs. */
const REPORTS = new Map([
  ["npm test", ["test.json"]],
  ["npm run test:native-asan", ["native-sanitizers.json"]],
  ["npm run test:cuda", ["cuda.json"]],
  ["npm run check:cuda-build", ["cuda-build.json"]],
  ["npm start", ["start.json"]],
  ["npm run notebooks", ["notebooks.json"]],
  ["npm run conformance", ["conformance.json"]],
  ["npm run test:demo-model", ["demo-model-corpus.json", "demo-model-model.json"]],
  ["screenshots", ["screenshots.json", "lab.json"]],
]);

/**
 * Prints what passed and failed in all commands, with the total alone on the last line.
 * @param {string[]} args `NAME=EXIT-CODE` for each command that ran
 * @returns {Promise<number>} 0 when nothing failed
 */
export async function summary(args) {
  const commands = args.map((arg) => {
    const [name, code] = arg.split("=");
    const files = REPORTS.get(name);
    if (files === undefined) {
      // A command without a report is one check.
      return { name, exitCode: Number(code), totals: countChecks([{ name, passed: code === "0" }]) };
    }
    const reports = files.map(readReport).filter((report) => report !== undefined);
    const checks = reports.flat();
    let totals = reports.length === 0 ? undefined : countChecks(checks);
    const vitest = name === "npm test" ? readReport("vitest.json") : undefined;
    if (totals !== undefined && vitest !== undefined) {
      // The tests themselves instead of the one check that ran them.
      const others = countChecks(
        checks.filter((/** @type {{ name: string }} */ check) => check.name !== "vitest"),
      );
      totals = addUp([
        { name: "checks", exitCode: 0, totals: others },
        { name: "vitest", exitCode: 0, totals: countVitest(vitest) },
      ]);
    }
    return { name, exitCode: Number(code), totals };
  });
  const { passed, failed, skipped, failures } = addUp(commands);
  for (const failure of failures) {
    process.stdout.write(`FAILED  ${failure}\n`);
  }
  process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
  return failed === 0 ? 0 : 1;
}

import { existsSync, readFileSync } from "node:fs";
import { BootstrapError } from "./missing-tool.mjs";

/**
 * Refuses names that no test has: a misspelled one must not look like tests that pass.
 * @param {string[]} reports files with the outcomes of what was run, each a list
 * @param {string[]} names parts of the names that were asked for; none for all tests
 */
export function expectSomeRun(reports, names) {
  const outcomes = reports.flatMap((file) =>
    existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [],
  );
  if (names.length === 0 || outcomes.length > 0) return;
  const wanted = names.map((name) => JSON.stringify(name)).join(" or ");
  throw new BootstrapError(`no test has ${wanted} in its name`);
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { expectSomeRun } from "../../../scripts/bootstrap/named-tests.mjs";

const folder = mkdtempSync(join(tmpdir(), "named-tests-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function report(name: string, outcomes: object[]): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(outcomes));
  return file;
}

const none = report("none.json", []);
const one = report("one.json", [{ name: "test_queue", passed: true }]);
const missing = join(folder, "missing.json");

it("refuses names that no test has, in any of the reports", () => {
  expect(() => expectSomeRun([none, missing], ["test_qeue", "x"])).toThrow(
    'no test has "test_qeue" or "x" in its name',
  );
});

it("is content with one test, and with none where none was named", () => {
  expectSomeRun([none, one], ["test_queue"]);
  expectSomeRun([none, missing], []);
});

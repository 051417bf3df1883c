import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const script = new URL("../../scripts/run_unittests.py", import.meta.url).pathname;

const TESTS = `import unittest

class Arithmetic(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(1 + 1, 2)

    def test_product(self):
        self.assertEqual(1 * 1, 2)
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "run-unittests-"));
  writeFileSync(join(folder, "test_arithmetic.py"), TESTS);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The outcomes that a run with these arguments reports. */
function run(...args: string[]): { name: string; passed: boolean }[] {
  const report = join(folder, "report.json");
  execFileSync("python3", [script, folder, "--json", report, ...args], { stdio: "pipe" });
  return JSON.parse(readFileSync(report, "utf8"));
}

describe("run_unittests.py", () => {
  it("runs the tests that are named behind the options", () => {
    expect(run("test_sum")).toEqual([{ name: "test_arithmetic.Arithmetic.test_sum", passed: true }]);
  });

  it("fails when a test does, and reports it", () => {
    expect(() => run()).toThrow();
    const outcomes = JSON.parse(readFileSync(join(folder, "report.json"), "utf8"));
    expect(outcomes).toEqual([
      { name: "test_arithmetic.Arithmetic.test_product", passed: false, message: "1 != 2" },
      { name: "test_arithmetic.Arithmetic.test_sum", passed: true },
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { addUp, countChecks, countVitest } from "../../../scripts/bootstrap/summary.mjs";

const assertion = (fullName: string, status: string) => ({ name: fullName, fullName, status });

describe("countVitest", () => {
  it("counts tests, and a file that could not be loaded as one failure", () => {
    const totals = countVitest({
      testResults: [
        {
          name: "a.test.ts",
          status: "failed",
          assertionResults: [
            assertion("one", "passed"),
            assertion("two", "failed"),
            assertion("three", "pending"),
            assertion("four", "skipped"),
          ],
        },
        { name: "b.test.ts", status: "failed", message: "no such module", assertionResults: [] },
        { name: "c.test.ts", status: "passed", assertionResults: [assertion("five", "passed")] },
      ],
    });
    expect(totals).toEqual({
      passed: 2,
      failed: 2,
      skipped: 2,
      failures: ["a.test.ts: two", "b.test.ts: no such module"],
    });
  });
});

describe("countChecks", () => {
  it("names what failed and why", () => {
    const totals = countChecks([
      { name: "biome", passed: true },
      { notebook: "01.ipynb", passed: false, message: "Error: x" },
      { name: "clang-format", passed: false },
    ]);
    expect(totals).toEqual({
      passed: 1,
      failed: 2,
      skipped: 0,
      failures: ["01.ipynb: Error: x", "clang-format"],
    });
  });

  it("counts what was skipped apart from what passed", () => {
    const totals = countChecks([
      { name: "one", passed: true },
      { name: "two", passed: true, skipped: true, message: "not installed" },
      { name: "three", passed: false },
    ]);
    expect(totals).toEqual({ passed: 1, failed: 1, skipped: 1, failures: ["three"] });
  });
});

describe("addUp", () => {
  const totals = (passed: number, failures: string[]) => ({
    passed,
    failed: failures.length,
    skipped: 0,
    failures,
  });

  it("a command that failed before it could report counts as a failure", () => {
    const sum = addUp([
      { name: "npm test", exitCode: 1, totals: undefined },
      { name: "npm run notebooks", exitCode: 124, totals: totals(2, []) },
      { name: "screenshots", exitCode: 1, totals: totals(1, ["02.png"]) },
      { name: "lint", exitCode: 0, totals: totals(3, []) },
    ]);
    expect(sum).toEqual({
      passed: 6,
      failed: 3,
      skipped: 0,
      failures: ["npm test: exit code 1", "npm run notebooks: exit code 124", "screenshots: 02.png"],
    });
  });

  it("a failure in a report counts even if the exit code says otherwise", () => {
    expect(addUp([{ name: "x", exitCode: 0, totals: totals(0, ["y"]) }]).failed).toBe(1);
  });
});

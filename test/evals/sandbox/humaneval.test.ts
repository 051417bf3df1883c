import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { beforeAll, expect, it } from "vitest";
import { Sandbox } from "../../../src/evals/sandbox/index.js";
import { sharedOrSkip } from "../../support/shared.js";
import { bubblewrapOrSkip } from "./bubblewrap_or_skip.js";

interface Problem {
  task_id: string;
  prompt: string;
  canonical_solution: string;
  test: string;
  entry_point: string;
}

sharedOrSkip("eval-data/humaneval", "HumanEval in the sandbox", (folder) => {
  bubblewrapOrSkip("all 164 problems", () => {
    let sandbox: Sandbox;
    let problems: Problem[];

    beforeAll(async () => {
      sandbox = await Sandbox.open();
      const text = gunzipSync(readFileSync(join(folder, "HumanEval.jsonl.gz"))).toString("utf8");
      problems = text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Problem]));
      expect(problems.length).toBe(164);
    });

    const statuses = async (body: (problem: Problem) => string) => {
      const programs = problems.map(
        (problem) => `${problem.prompt}${body(problem)}\n${problem.test}\ncheck(${problem.entry_point})`,
      );
      const results = await sandbox.runAll(programs);
      const counts: Record<string, number> = {};
      for (const { status } of results) counts[status] = (counts[status] ?? 0) + 1;
      return counts;
    };

    it("the canonical solutions pass", async () => {
      expect(await statuses((problem) => problem.canonical_solution)).toEqual({ passed: 164 });
    }, 120_000);

    it("no empty body passes", async () => {
      expect(await statuses(() => "    pass\n")).toEqual({ failed: 164 });
    }, 120_000);

    // The module ends before the tests are reached, which is no pass.
    it("no early end passes", async () => {
      const some = problems.slice(0, 12);
      const early = (end: string) => some.map(({ prompt, test }) => `${prompt}    pass\n${end}\n${test}`);
      const exits = await sandbox.runAll(early("import sys; sys.exit(0)"));
      expect(new Set(exits.map(({ status, detail }) => `${status} ${detail.slice(0, 13)}`))).toEqual(
        new Set(["failed SystemExit: 0"]),
      );
      const ends = await sandbox.runAll(early("import os; os._exit(0)"));
      expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(["crashed"]));
    }, 60_000);
  });
});

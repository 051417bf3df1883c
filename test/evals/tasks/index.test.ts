import { describe, expect, it } from "vitest";
import { builtInNames } from "../../../src/evals/tasks/built_in_names.js";
import { evalTasks, findTask } from "../../../src/evals/tasks/index.js";

describe("the built-in tasks", () => {
  it("are found by name", () => {
    expect(evalTasks.map((task) => task.name)).toEqual(builtInNames);
    for (const task of evalTasks) expect(findTask(task.name)).toBe(task);
    expect(() => findTask("arc")).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: there is no task "arc"; the built-in ones are arc-easy, arc-challenge, humaneval, mmlu, winogrande, triviaqa, hellaswag, and defineTask makes others]`,
    );
    expect(() => findTask("toString")).toThrowError(/there is no task "toString"/);
  });

  // EVALS.md, section 4.
  it("have the release's budgets", () => {
    const budgets = Object.fromEntries(evalTasks.map((task) => [task.name, task.maxNewTokens]));
    expect(budgets).toEqual({
      "arc-easy": 8,
      "arc-challenge": 8,
      humaneval: 512,
      mmlu: 8,
      winogrande: 4,
      triviaqa: 24,
      hellaswag: 8,
    });
    for (const task of evalTasks) {
      expect(task.shots).toBe(1);
      for (const stop of task.stop) expect((stop as RegExp).flags).toBe("");
    }
  });
});

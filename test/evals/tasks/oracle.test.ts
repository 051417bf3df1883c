import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readItems } from "../../../src/evals/data/index.js";
import type { EvalItem, EvalTask } from "../../../src/evals/task.js";
import { evalTasks, findTask } from "../../../src/evals/tasks/index.js";
import { sharedOrSkip } from "../../support/shared.js";

/** How many of the items a model gets right that answers each as `answer` says. */
function score<Item extends EvalItem>(
  task: EvalTask<Item>,
  items: readonly Item[],
  answer: (item: Item) => string,
) {
  let correct = 0;
  let unparsed = 0;
  for (const item of items) {
    const extracted = task.extract(answer(item), item);
    if (extracted === null) unparsed++;
    else if (task.isCorrect?.(extracted, item) ?? extracted === task.gold(item)) correct++;
  }
  return { n: items.length, correct, unparsed };
}

const all = (n: number) => ({ n, correct: n, unparsed: 0 });

sharedOrSkip("eval-data", "a model that always knows, and one that always says the same", (directory) => {
  // Shares counted with Python's collections.Counter over the files' own "answer" and "gold".
  it.each([
    ["arc-easy", "arc_easy", "train", 2251, { A: 548, B: 588, C: 578, D: 535, E: 2 }],
    ["arc-easy", "arc_easy", "validation", 570, { A: 158, B: 152, C: 142, D: 118 }],
    ["mmlu", "mmlu", "dev", 285, { A: 67, B: 69, C: 71, D: 78 }],
    ["mmlu", "mmlu", "validation", 1531, { A: 381, B: 379, C: 387, D: 384 }],
    ["winogrande", "winogrande", "validation", 1267, { "1": 628, "2": 639 }],
    ["hellaswag", "hellaswag", "validation", 10042, { A: 2515, B: 2485, C: 2584, D: 2458 }],
  ])("%s, %s/%s", async (name, folder, split, n, shares) => {
    const task = findTask(name);
    const { items } = await readItems(task, join(directory, folder), { split });
    expect(score(task, items, (item) => ` ${task.gold(item)}`)).toEqual(all(n));
    for (const [answer, correct] of Object.entries(shares)) {
      expect(score(task, items, () => ` ${answer}\n`).correct).toBe(correct);
    }
    expect(score(task, items, () => " I do not know")).toEqual({ n, correct: 0, unparsed: n });
  });

  it("triviaqa, by its answers and by each alias", async () => {
    const task = findTask("triviaqa") as EvalTask<EvalItem & { answer: string; aliases: string[] }>;
    const { items } = await readItems(task, join(directory, "triviaqa"));
    expect(score(task, items, (item) => ` ${item.answer}`)).toEqual(all(3000));
    expect(score(task, items, (item) => ` ${item.aliases.at(-1) ?? item.answer}.`).correct).toBe(3000);
    // Counted in Python with the official normalisation over answer and aliases.
    expect(score(task, items, () => " USA").correct).toBe(1);
    expect(score(task, items, () => " the")).toEqual({ n: 3000, correct: 0, unparsed: 3000 });
  });
});

describe("the bundled items", () => {
  it.each(evalTasks.filter(({ name }) => name !== "arc-challenge").map((task) => [task.name, task] as const))(
    "%s: a model that always knows is right",
    async (_, task) => {
      const { items } = await readItems(task, "demo");
      expect(score(task, items, (item) => task.gold(item))).toEqual(all(items.length));
    },
  );
});

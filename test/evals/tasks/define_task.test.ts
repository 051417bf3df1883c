import { describe, expect, it } from "vitest";
import { readItems } from "../../../src/evals/data/index.js";
import { chooseShot } from "../../../src/evals/shot.js";
import { defineTask, type TaskDefinition } from "../../../src/evals/tasks/index.js";
import { codeOf } from "../../support/codes.js";
import { switches } from "./switches.js";

const capitals = [
  { prompt: "The capital of France is", answer: "Paris" },
  { prompt: "The capital of Japan is", answer: "Tokyo" },
];

describe("defineTask", () => {
  it("needs a name and items only", async () => {
    const task = defineTask({ name: "capitals", items: capitals });
    const { items, split, source, sha256, files } = await readItems(task);
    expect(items.map((item) => item.id)).toEqual(["0", "1"]);
    expect({ split, source, files }).toEqual({ split: "items", source: "items", files: [] });
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(task.prompt(items[0], undefined, switches)).toBe("The capital of France is");
    expect(task.prompt(items[0], undefined, { ...switches, chat: true })).toBe(
      "human: The capital of France is\n\nadept:",
    );
    expect([task.shots, task.maxNewTokens, task.version]).toEqual([0, 32, 1]);
    expect(task.extract(" \n Paris \nThe", items[0])).toBe("Paris");
    expect(task.extract(" \n ", items[0])).toBeNull();
    expect(task.isCorrect!("Paris", items[0])).toBe(true);
    expect(task.isCorrect!("paris", items[0])).toBe(false);
    expect("one\ntwo".search(task.stop[0])).toBe(3);
  });

  it("shows an example if asked to", () => {
    const task = defineTask({ name: "capitals", items: capitals, shots: 1 });
    const [france, japan] = task.items!;
    expect(chooseShot(task, france, task.items!)).toBe(japan);
    expect(task.prompt(france, japan, switches)).toBe(
      "The capital of Japan is Tokyo\n\nThe capital of France is",
    );
  });

  it("takes functions over fields of one's own", () => {
    const sums = defineTask({
      name: "sums",
      items: [
        { a: 2, b: 3 },
        { a: 4, b: 5, id: "four-five" },
      ],
      prompt: ({ a, b }) => `${a} + ${b} =`,
      gold: ({ a, b }) => String(a + b),
      extract: (text) => /\d+/.exec(text)?.[0] ?? null,
      sameQuestion: ({ a, b }) => String(a + b),
      likelihood: ({ a, b }) => ({
        context: `${a} + ${b} =`,
        endings: [" 5", " 9"],
        gold: a + b === 5 ? 0 : 1,
      }),
      maxNewTokens: 4,
      stop: ["\n", /,/],
      version: 2,
    });
    const [first, second] = sums.items!;
    expect(second.id).toBe("four-five");
    expect(sums.prompt(first, undefined, switches)).toBe("2 + 3 =");
    expect(sums.isCorrect!(sums.extract(" is 9", second)!, second)).toBe(true);
    expect(sums.likelihood!(second, undefined, switches).gold).toBe(1);
    expect([sums.maxNewTokens, sums.version, sums.stop, sums.sameQuestion(first)]).toEqual([
      4,
      2,
      ["\n", /,/],
      "5",
    ]);
  });

  it("reads its items from a list or a file too", async () => {
    const task = defineTask<{ text: string }>({
      name: "echo",
      prompt: (item) => item.text,
      gold: (item) => item.id,
    });
    const { items } = await readItems(task, [{ id: "x", text: "say x" }]);
    expect(task.prompt(items[0], undefined, switches)).toBe("say x");
    expect(codeOf(() => task.prompt({ id: "y" } as never, undefined, switches))).toBe("TASK_INVALID");
  });

  const refusals: [string, unknown][] = [
    ["nothing", undefined],
    ["a name that is none", { name: "a/b", items: capitals }],
    ["no name", { items: capitals }],
    ["the name of a built-in task", { name: "mmlu", items: capitals }],
    ["two shots", { name: "x", items: capitals, shots: 2 }],
    ["no tokens", { name: "x", items: capitals, maxNewTokens: 0 }],
    ["half a version", { name: "x", items: capitals, version: 0.5 }],
    ["a stop with flags", { name: "x", items: capitals, stop: [/a/g] }],
    ["an empty stop", { name: "x", items: capitals, stop: [""] }],
    ["a stop that is no list", { name: "x", items: capitals, stop: "\n" }],
    ["a prompt that is no function", { name: "x", items: capitals, prompt: "hello" }],
    ["no items in the list", { name: "x", items: [] }],
    ["an item that is none", { name: "x", items: ["hello"] }],
    ["an item without a prompt", { name: "x", items: [{ answer: "y" }] }],
    ["an item without an answer", { name: "x", items: [{ prompt: "y" }] }],
    ["an id that comes twice", { name: "x", items: capitals.map((item) => ({ ...item, id: "same" })) }],
    ["an id that is no text", { name: "x", items: [{ ...capitals[0], id: 7 }] }],
    ["an async prompt", { name: "x", items: capitals, prompt: async () => "hello" }],
    ["a gold that gives nothing", { name: "x", items: capitals, gold: () => undefined }],
    ["an answer of two lines", { name: "x", items: [{ prompt: "x", answer: "a\nb" }] }],
  ];
  it.each(refusals)("refuses %s", (_, definition) => {
    expect(codeOf(() => defineTask(definition as TaskDefinition))).toBe("TASK_INVALID");
  });

  it("names an option that there is not, and says what is wrong", () => {
    expect(codeOf(() => defineTask({ name: "x", items: capitals, gould: () => "" } as TaskDefinition))).toBe(
      "OPTION_UNKNOWN",
    );
    expect(() =>
      defineTask({ name: "x", items: [{ prompt: "y" }] } as never),
    ).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: task "x": item "0" has no text "answer", and the task has no function "gold"]`,
    );
    expect(() =>
      defineTask({ name: "x", items: capitals, prompt: async () => "y" } as never),
    ).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: task "x": prompt must give a text for item "0", got a promise (it cannot be async)]`,
    );
  });
});

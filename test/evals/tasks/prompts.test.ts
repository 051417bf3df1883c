import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readItems } from "../../../src/evals/data/index.js";
import { chooseShot } from "../../../src/evals/shot.js";
import type { EvalItem } from "../../../src/evals/task.js";
import {
  arcEasy,
  evalTasks,
  findTask,
  type HumanEvalItem,
  hellaswag,
  humaneval,
  type MultipleChoiceItem,
  mmlu,
  type TriviaItem,
  triviaqa,
  winogrande,
} from "../../../src/evals/tasks/index.js";
import { sharedOrSkip } from "../../support/shared.js";
import { switches } from "./switches.js";

interface Golden {
  task: string;
  shot_id: string | null;
  question_id: string | null;
  prompt: string;
}

sharedOrSkip("eval-data", "the prompts that Adept released, byte for byte", (directory) => {
  const goldens = (task: string): Golden[] =>
    JSON.parse(readFileSync(join(directory, "adept_prompt_goldens.json"), "utf8")).filter(
      (golden: Golden) => golden.task === task,
    );

  // Of the ten, these six are rebuilt from data sets: two each of ARC, Winogrande and HumanEval.
  it.each([
    ["arc", "arc-easy", "arc_easy", "validation"],
    ["winogrande", "winogrande", "winogrande", "validation"],
    ["humaneval", "humaneval", "humaneval", "test"],
  ])("%s, from the rows of the data set", async (name, taskName, folder, split) => {
    const task = findTask(taskName);
    const { items } = await readItems(task, join(directory, folder), { split });
    const find = (id: string | null) => items.find((item) => item.id === id)!;
    expect(goldens(name)).toHaveLength(2);
    for (const golden of goldens(name)) {
      // One of the two HumanEval prompts has "# " before the instruction.
      const instructionPrefix = golden.prompt.startsWith("# ") ? "# " : "";
      const prompt = task.prompt(find(golden.question_id), find(golden.shot_id), {
        ...switches,
        instructionPrefix,
      });
      expect(prompt).toBe(golden.prompt);
    }
  });

  // The rows of the other four are not there (MMLU's test split, TriviaQA): taken apart and put together again, they check
  // the format alone.
  it("MMLU, from its own fields", () => {
    const question = /^Question: (.*)\nA: (.*)\nB: (.*)\nC: (.*)\nD: (.*)\nAnswer:(?: ([A-D]))?$/gm;
    expect(goldens("mmlu")).toHaveLength(2);
    for (const golden of goldens("mmlu")) {
      const [shot, item] = [...golden.prompt.matchAll(question)].map(
        ([, text, a, b, c, d, letter]): MultipleChoiceItem => ({
          id: text,
          question: text,
          choices: [a, b, c, d],
          gold: "ABCD".indexOf(letter ?? "A"),
        }),
      );
      expect(mmlu.prompt(item, shot, switches)).toBe(golden.prompt);
    }
  });

  it("TriviaQA, from its own fields", () => {
    expect(goldens("triviaqa")).toHaveLength(2);
    for (const golden of goldens("triviaqa")) {
      const [shot, item] = [...golden.prompt.matchAll(/^Q: (.*)\nA:(?: (.*))?$/gm)].map(
        ([, question, answer]): TriviaItem => ({ id: question, question, answer: answer ?? "", aliases: [] }),
      );
      expect(triviaqa.prompt(item, shot, switches)).toBe(golden.prompt);
    }
  });

  // SHA-256 of all prompts, a NUL between them, as scripts/demo-model/accuracy (Python) makes them with the same examples.
  it.each([
    [
      "arc-easy",
      "arc_easy",
      "validation",
      "68122ca74797d1516718f8bc4a2768c031d53714b4aa3f906daf838f443965b8",
    ],
    ["mmlu", "mmlu", "validation", "19b3c8d64f8c38aa33a41b8844c250d56599a5a289222efbb045ad26b5162e2a"],
    [
      "triviaqa",
      "triviaqa",
      "sample_3000",
      "a21c5c8b0d124dcb2e817b58430cfdefafd68b2e9d687fe10a1fdedad95d64d8",
    ],
    ["humaneval", "humaneval", "test", "8575a71bc1503fb3f18afd0dbbbe6f2e61e66aaa815892e81ad64788463a960d"],
  ])("all of %s as the Python implementation has them", async (name, folder, split, expected) => {
    const task = findTask(name);
    const { items } = await readItems(task, join(directory, folder), { split });
    const prompts = items.map((item) => task.prompt(item, chooseShot(task, item, items), switches));
    expect(createHash("sha256").update(prompts.join("\0")).digest("hex")).toBe(expected);
  });
});

describe("prompts", () => {
  const item: MultipleChoiceItem = {
    id: "a",
    question: "How many?",
    choices: ["one", "two", "three"],
    gold: 1,
  };
  const five = { ...item, id: "b", choices: ["1", "2", "3", "4", "5"], gold: 4 };

  it("have as many letters as there are options", () => {
    expect(arcEasy.prompt(item, five, switches)).toBe(
      "You are a bot designed to answer multiple choice questions. Given a series of options, you answer by choosing A, B, C, or D. Some examples are below.\n" +
        "Question: How many?\nA: 1\nB: 2\nC: 3\nD: 4\nE: 5\nAnswer: E\n\n" +
        "Question: How many?\nA: one\nB: two\nC: three\nAnswer:",
    );
  });

  it("list HellaSwag's endings as options", () => {
    const story = { id: "s", ctx: "A man runs. He", endings: ["stops.", "flies."], gold: 0 };
    expect(hellaswag.prompt(story, { ...story, gold: 1 }, switches)).toContain(
      "below.\nQuestion: A man runs. He\nA: stops.\nB: flies.\nAnswer: B\n\nQuestion: A man runs. He\nA: stops.",
    );
  });

  const code = (id: string, leading: string): HumanEvalItem => ({
    id,
    prompt: `${leading}def f(x):\n    """Doubles."""\n`,
    entryPoint: "f",
    canonicalSolution: "    return 2 * x\n",
    test: "def check(f):\n    assert f(2) == 4\n",
  });

  it("of HumanEval without an example are the item's own", () => {
    expect(humaneval.prompt(code("a", "\n\n"), undefined, switches)).toBe(
      '\n\ndef f(x):\n    """Doubles."""\n',
    );
    const prefixed = { ...switches, instructionPrefix: "# " };
    expect(humaneval.prompt(code("a", ""), undefined, prefixed)).toBe('def f(x):\n    """Doubles."""\n');
  });

  it("follow the switches", () => {
    const bare = humaneval.prompt(code("a", "\n\n"), code("b", "\n\n"), { ...switches, finalNewline: false });
    expect(bare).toMatch(
      /below\.\ndef f\(x\):\n {4}"""Doubles\."""\n {4}return 2 \* x\n\n\ndef f\(x\):\n {4}"""Doubles\."""$/,
    );
    expect(arcEasy.prompt(item, five, { ...switches, finalNewline: false })).toBe(
      arcEasy.prompt(item, five, switches),
    );
    const plain = arcEasy.prompt(item, five, switches);
    expect(arcEasy.prompt(item, five, { ...switches, instructionPrefix: "# " })).toBe(`# ${plain}`);
    expect(arcEasy.prompt(item, five, { ...switches, chat: true })).toBe(`human: ${plain}\n\nadept:`);
  });

  it("end without a space, in every task", async () => {
    for (const task of evalTasks) {
      if (task.name === "arc-challenge") continue;
      const { items } = await readItems(task, "demo");
      for (const shot of [undefined, items[1]]) {
        expect(task.prompt(items[0], shot, switches)).toMatch(task.name === "humaneval" ? /\S\n$/ : /:$/);
      }
    }
  });
});

describe("likelihood questions", () => {
  const ask = <Item extends EvalItem>(
    task: { likelihood?: (item: Item, shot: undefined, s: typeof switches) => unknown },
    item: Item,
  ) => task.likelihood?.(item, undefined, switches);

  it("ARC and MMLU score the options' texts", () => {
    const item: MultipleChoiceItem = { id: "a", question: "What?", choices: ["this", "that"], gold: 1 };
    const expected = { context: "Question: What?\nAnswer:", endings: [" this", " that"], gold: 1 };
    expect(ask(arcEasy, item)).toEqual(expected);
    expect(ask(mmlu, item)).toEqual(expected);
  });

  it("HellaSwag is context, space, ending", () => {
    const item = { id: "a", ctx: "A man runs. He", endings: ["stops.", "flies."], gold: 0 };
    expect(ask(hellaswag, item)).toEqual({
      context: "A man runs. He",
      endings: [" stops.", " flies."],
      gold: 0,
    });
  });

  it("Winogrande scores what follows the filled blank", () => {
    const item = {
      id: "a",
      sentence: "Ann met Tim as _ left.",
      option1: "Ann",
      option2: "Tim",
      answer: "2" as const,
    };
    const question = {
      context: "Ann met Tim as",
      endings: [" Ann left.", " Tim left."],
      given: [4, 4],
      gold: 1,
    };
    expect(ask(winogrande, item)).toEqual(question);
    const first = { ...item, sentence: "_ left." };
    expect(ask(winogrande, first)).toEqual({
      context: "",
      endings: ["Ann left.", "Tim left."],
      given: [3, 3],
      gold: 1,
    });
  });
});

import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readItems } from "../../../src/evals/data/index.js";
import { findTask, type HellaSwagItem, type TriviaItem } from "../../../src/evals/tasks/index.js";
import { sharedOrSkip } from "../../support/shared.js";
import { fixture, folders, jsonl } from "./files.js";

const folder = folders();
const read = (task: string, path: string, options = {}) => readItems(findTask(task), path, options);

describe("the publishers' own files", () => {
  it("ARC-V1: labels become positions, with 3, 4 and 5 options", async () => {
    const arc = (id: string, labels: string, answerKey: string) => ({
      id,
      question: {
        stem: `Which, ${id}?`,
        choices: [...labels].map((label) => ({ text: `text ${label}`, label })),
      },
      answerKey,
    });
    const path = folder({
      "ARC-Easy-Dev.jsonl": jsonl(
        arc("letters", "ABCD", "C"),
        arc("numbers", "1234", "4"),
        arc("three", "ABC", "A"),
        arc("five", "12345", "5"),
      ),
    });
    const { items, split } = await read("arc-easy", path);
    expect(split).toBe("validation");
    expect(items.map((item) => [item.id, (item as { gold?: number }).gold])).toEqual([
      ["letters", 2],
      ["numbers", 3],
      ["three", 0],
      ["five", 4],
    ]);
    expect(items[2]).toEqual({
      id: "three",
      question: "Which, three?",
      choices: ["text A", "text B", "text C"],
      gold: 0,
    });
  });

  it("MMLU: CSV by subject, quoted fields with commas, quotes and line breaks", async () => {
    const path = folder({
      "data/test/world_religions_test.csv": "What is this?,x,y,z,w,B\r\n",
      "data/test/anatomy_test.csv":
        '"Which, of ""these"",\nis a bone?",femur,"a, b",c,d,A\n{1} is?,1,2,3,4,D\n',
      "data/test/virology_test.csv": "Q?,1,2,3,4,A\n",
      "data/test/zoology_test.csv": "Q?,1,2,3,4,B\n",
      "data/val/anatomy_val.csv": "Q?,1,2,3,4,C\n",
      "data/dev/anatomy_dev.csv": "Q?,1,2,3,4,C\n",
    });
    const { items, split, files, sha256 } = await read("mmlu", path, { split: "test" });
    expect(split).toBe("test");
    expect(items.map((item) => item.subject).slice(2)).toEqual(["virology", "world_religions", "zoology"]);
    expect(items.filter((item) => !/ology/.test(item.id))).toEqual([
      {
        id: "anatomy/test/0",
        subject: "anatomy",
        question: 'Which, of "these",\nis a bone?',
        choices: ["femur", "a, b", "c", "d"],
        gold: 0,
      },
      {
        id: "anatomy/test/1",
        subject: "anatomy",
        question: "{1} is?",
        choices: ["1", "2", "3", "4"],
        gold: 3,
      },
      {
        id: "world_religions/test/0",
        subject: "world_religions",
        question: "What is this?",
        choices: ["x", "y", "z", "w"],
        gold: 1,
      },
    ]);
    // As `cd FOLDER; sha256sum data/test/*.csv | sort | sha256sum` prints it.
    const lines = files.map((file) => `${file.sha256}  ${file.path.slice(path.length + 1)}\n`).sort();
    expect(sha256).toBe(createHash("sha256").update(lines.join("")).digest("hex"));
    expect((await read("mmlu", path, { split: "val" })).items[0].id).toBe("anatomy/validation/0");
    expect((await read("mmlu", path, { split: "dev" })).items[0].id).toBe("anatomy/dev/0");
    expect((await read("mmlu", path, { split: "test", subset: "anatomy" })).items).toHaveLength(2);
    expect((await read("mmlu", join(path, "data/test/anatomy_test.csv"))).items).toHaveLength(2);
  });

  it("Winogrande: JSON lines, the size of the train split by subset", async () => {
    const row = (qID: string, answer: string) => ({
      qID,
      sentence: "Ann met Tim as _ left.",
      option1: "Ann",
      option2: "Tim",
      answer,
    });
    const path = folder({
      "winogrande_1.1/train_xl.jsonl": jsonl(row("xl-1", "1"), row("xl-2", "2")),
      "winogrande_1.1/train_xs.jsonl": jsonl(row("xs-1", "2")),
      "winogrande_1.1/dev.jsonl": jsonl(row("dev-1", "2")),
      "winogrande_1.1/dev-labels.lst": "2\n",
      "winogrande_1.1/test.jsonl": jsonl({ ...row("test-1", "1"), answer: undefined }),
    });
    expect((await read("winogrande", path, { split: "train" })).items.map((item) => item.id)).toEqual([
      "xl-1",
      "xl-2",
    ]);
    expect(
      (await read("winogrande", path, { split: "train", subset: "xs" })).items.map((item) => item.id),
    ).toEqual(["xs-1"]);
    expect((await read("winogrande", path, { split: "validation" })).items).toEqual([
      { id: "dev-1", sentence: "Ann met Tim as _ left.", option1: "Ann", option2: "Tim", answer: "2" },
    ]);
    await expect(read("winogrande", path, { split: "test" })).rejects.toThrow(
      /test\.jsonl:1: expected the right answer in "answer", found none.*validation/,
    );
  });

  it("HellaSwag: prepared as lm-eval does it", async () => {
    const row = {
      ind: 24,
      activity_label: "How to Fold a boat",
      ctx_a: "[header] How to fold [title] Take paper. [substeps] A4 is  best.",
      ctx_b: "the Paper Is",
      ctx: "…",
      split: "val",
      split_type: "indomain",
      label: 1,
      endings: ["[step] folded  twice. [title] Done.", " open.", "wet.", "gone."],
      source_id: "wikihow~1",
    };
    const path = folder({ "hellaswag_val.jsonl": jsonl(row) });
    const { items, split } = await read("hellaswag", path);
    expect(split).toBe("validation");
    // From Python: lm_eval's preprocess(activity_label + ": " + ctx_a + " " + ctx_b.capitalize()) and preprocess(ending).
    const expected: HellaSwagItem = {
      id: "validation/0",
      ctx: "How to Fold a boat: How to fold. Take paper. A4 is best. The paper is",
      endings: [" folded twice.. Done.", "open.", "wet.", "gone."],
      gold: 1,
    };
    expect(items[0]).toEqual(expected);
  });

  it("TriviaQA: one JSON document", async () => {
    const question = (id: string) => ({
      Answer: {
        Value: "Paris",
        Aliases: ["Paris", "Paree"],
        NormalizedAliases: ["paris", "paree"],
        HumanAnswers: ["Paris, France"],
      },
      Question: `Which city, ${id}?`,
      QuestionId: id,
      EntityPages: [],
    });
    const document = (...ids: string[]) =>
      JSON.stringify({ Data: ids.map(question), Domain: "Web", Version: 1 }, null, 4);
    const path = folder({
      "triviaqa-rc/qa/wikipedia-dev.json": document("tc_1", "tc_2"),
      "triviaqa-rc/qa/web-dev.json": document("tc_3"),
      "triviaqa-rc/qa/verified-web-dev.json": document("tc_4"),
      "triviaqa-rc/qa/wikipedia-test-without-answers.json": JSON.stringify({
        Data: [{ Question: "What?", QuestionId: "t" }],
      }),
    });
    const { items } = await read("triviaqa", path, { split: "validation" });
    expect(items.map((item) => item.id)).toEqual(["tc_1", "tc_2"]);
    expect(items[0]).toEqual({
      id: "tc_1",
      question: "Which city, tc_1?",
      answer: "Paris",
      aliases: ["Paris", "Paree", "paris", "paree", "Paris, France"],
    } satisfies TriviaItem);
    expect((await read("triviaqa", path, { split: "dev", subset: "web" })).items[0].id).toBe("tc_3");
    await expect(read("triviaqa", path, { split: "test" })).rejects.toThrow(
      /Data\[0\]: expected the right answer/,
    );
  });

  it("HumanEval: JSON lines, packed or not", async () => {
    const row = {
      task_id: "HumanEval/7",
      prompt: "def f():\n",
      entry_point: "f",
      canonical_solution: "    pass\n",
      test: "def check(c):\n    c()\n",
    };
    const expected = {
      id: "HumanEval/7",
      prompt: "def f():\n",
      entryPoint: "f",
      canonicalSolution: "    pass\n",
      test: row.test,
    };
    const packed = folder({ "data/HumanEval.jsonl.gz": gzipSync(jsonl(row)) });
    expect(await read("humaneval", packed)).toMatchObject({ split: "test", items: [expected] });
    // Content counts, not the name.
    const plain = folder({ "mine.jsonl": gzipSync(jsonl(row)) });
    expect(await read("humaneval", plain)).toMatchObject({ split: "mine", items: [expected] });
  });
});

describe("parquet files, as the hub has them", () => {
  it("ARC", async () => {
    const { items } = await read("arc-easy", fixture("arc-0.parquet"));
    expect(items).toEqual([
      { id: "invented_0", question: "What is 0 plus one?", choices: ["1", "0", "2"], gold: 0 },
      { id: "invented_1", question: "What is 1 plus one?", choices: ["2", "1", "3"], gold: 0 },
      { id: "invented_2", question: "What is 2 plus one?", choices: ["3", "2", "4"], gold: 0 },
    ]);
    expect((await read("arc-easy", fixture("arc-1.parquet"))).items).toHaveLength(2);
  });

  it("MMLU, TriviaQA and HellaSwag", async () => {
    const mmlu = await read("mmlu", fixture("mmlu.parquet"), { subset: "animals" });
    expect(mmlu.items).toMatchObject([
      { id: "animals/mmlu/0", subject: "animals", gold: 1 },
      { id: "animals/mmlu/1", subject: "animals", gold: 2 },
    ]);
    const trivia = await read("triviaqa", fixture("triviaqa.parquet"));
    expect(trivia.items[1]).toEqual({
      id: "in_2",
      question: "Where does the sun not set\u2028?",
      answer: "North",
      aliases: ["The North", "north"],
    });
    const stories = await read("hellaswag", fixture("hellaswag.parquet"));
    expect(stories.items).toMatchObject([
      { id: "hellaswag/0", ctx: "Baking bread: A baker opens an oven. She", gold: 0 },
      { id: "hellaswag/1", ctx: "How to fold a boat: How to fold. Take a sheet of paper.", gold: 0 },
    ]);
  });

  it("a compression that cannot be read is named", async () => {
    await expect(read("arc-easy", fixture("arc-zstd.parquet"))).rejects.toThrow(/arc-zstd\.parquet: .*ZSTD/);
  });
});

describe("the bundled items", () => {
  it.each([
    ["arc-easy", 394],
    ["mmlu", 291],
    ["winogrande", 300],
    ["triviaqa", 328],
    ["hellaswag", 200],
    ["humaneval", 164],
  ])("%s has %i, with kinds", async (task, count) => {
    const data = await read(task, "demo");
    expect(data).toMatchObject({ split: "demo", source: "demo" });
    expect(data.items).toHaveLength(count);
    expect(data.items[0].kind).toMatch(/\w/);
    await expect(read(task, "demo", { split: "test" })).rejects.toMatchObject({ code: "DATA_SPLIT_UNKNOWN" });
  });

  it("there are none for ARC-Challenge", async () => {
    await expect(read("arc-challenge", "demo")).rejects.toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: there are no bundled items for arc-challenge; there are some for arc-easy, humaneval, mmlu, winogrande, triviaqa, hellaswag.]`,
    );
  });
});

sharedOrSkip("eval-data", "the normalised data sets", (directory) => {
  it.each([
    ["arc-easy", "arc_easy", "train", 2251],
    ["arc-easy", "arc_easy", "dev", 570],
    ["hellaswag", "hellaswag", "validation", 10042],
    ["hellaswag", "hellaswag", "train", 5],
    ["mmlu", "mmlu", "dev", 285],
    ["mmlu", "mmlu", "validation", 1531],
    ["triviaqa", "triviaqa", "sample_3000", 3000],
    ["winogrande", "winogrande", "validation", 1267],
    ["humaneval", "humaneval", "test", 164],
  ])("%s from %s, %s: %i", async (task, name, split, count) => {
    const { items } = await read(task, join(directory, name), { split });
    expect(items).toHaveLength(count);
    // From the folder above, too.
    if (task !== "arc-easy" && task !== "mmlu") return;
    expect((await read(task, directory, { split })).items).toEqual(items);
  });

  it("keeps ARC's items with 3 and 5 options (6 and 4 of train, 1 and 2 of validation)", async () => {
    const sizes = async (split: string) => {
      const { items } = await read("arc-easy", join(directory, "arc_easy"), { split });
      const count = (size: number) =>
        items.filter((item) => (item as never as { choices: [] }).choices.length === size).length;
      return [count(3), count(5)];
    };
    expect(await sizes("train")).toEqual([6, 4]);
    expect(await sizes("validation")).toEqual([1, 2]);
  });

  it("a row with U+2028 is one row", async () => {
    const { items } = await read("triviaqa", join(directory, "triviaqa"));
    expect(JSON.stringify(items.find((item) => item.id === "triviaqa_sm_sub/1780"))).toMatch(/\u2028|\u0085/);
  });
});

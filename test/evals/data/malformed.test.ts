import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PersimmonError } from "../../../src/errors.js";
import { readItems } from "../../../src/evals/data/index.js";
import { defineTask, evalTasks, findTask } from "../../../src/evals/tasks/index.js";
import { failureOf } from "../../support/codes.js";
import { folders, jsonl } from "./files.js";

const folder = folders();

/** `CODE: message` of reading a file with this content, its folder left out. */
async function failure(task: string, name: string, content: string | Uint8Array): Promise<string> {
  const path = folder({ [name]: content });
  const message = await failureOf(readItems(findTask(task), join(path, name)), path);
  // The reasons are Node's, and differ between its versions.
  return message.replace(/(JSON object, found something else|in UTF-8|gzip file): .*/, "$1: …");
}

const good = { id: "a", question: "What?", choices: ["x", "y"], gold: 0, answer: "A" };
const bad = (change: object) => jsonl({ ...good, id: "b" }, { ...good, ...change });
const stem = (choices: object[], answerKey?: string) =>
  jsonl({ id: "a", question: { stem: "What?", choices }, answerKey });

describe("malformed rows", () => {
  const cases: [string, string, string | Uint8Array][] = [
    ["arc-easy", "half a line", `${jsonl(good)}{"id": "b", "ques`],
    ["arc-easy", "no object", `${jsonl(good)}[1, 2]\n`],
    ["arc-easy", "no file at all", ""],
    ["arc-easy", "empty lines only", "\n\n  \n"],
    [
      "arc-easy",
      "bytes that are no UTF-8",
      Buffer.concat([Buffer.from(jsonl(good)), Buffer.from([0xff, 0x0a])]),
    ],
    ["arc-easy", "no question", bad({ question: undefined })],
    ["arc-easy", "an empty question", bad({ question: "  " })],
    ["arc-easy", "a question that is a number", bad({ question: 7 })],
    ["arc-easy", "half a surrogate pair", bad({ question: "so \ud83d" })],
    ["arc-easy", "one choice", bad({ choices: ["x"] })],
    ["arc-easy", "nine choices", bad({ choices: [..."123456789"] })],
    ["arc-easy", "choices that are no texts", bad({ choices: ["x", 1] })],
    ["arc-easy", "choices that are no list", bad({ choices: "x, y" })],
    ["arc-easy", "a gold that is out of range", bad({ gold: 2, answer: undefined })],
    ["arc-easy", "a gold and an answer that differ", bad({ gold: 1 })],
    ["arc-easy", "no gold and no answer", bad({ gold: undefined, answer: undefined })],
    ["arc-easy", "an id that comes twice", jsonl(good, good)],
    ["arc-easy", "an id that is a list", bad({ id: ["a"] })],
    [
      "arc-easy",
      "a key that is no label",
      stem(
        [
          { text: "x", label: "A" },
          { text: "y", label: "B" },
        ],
        "C",
      ),
    ],
    [
      "arc-easy",
      "a label that comes twice",
      stem(
        [
          { text: "x", label: "A" },
          { text: "y", label: "A" },
        ],
        "A",
      ),
    ],
    ["arc-easy", "a choice without a text", stem([{ label: "A" }, { text: "y", label: "B" }], "A")],
    [
      "arc-easy",
      "no key",
      stem([
        { text: "x", label: "A" },
        { text: "y", label: "B" },
      ]),
    ],
    ["arc-easy", "a packed file that ends early", gzipSync(jsonl(good)).subarray(0, 20)],
    ["arc-easy", "a parquet file that ends early", "PAR1 and so on"],
    ["mmlu", "CSV with five fields", '"Which, A\nor B?",a,b,c,d,A\nQ?,a,b,c,A\n'],
    ["mmlu", "CSV with a letter that is none", "Q?,a,b,c,d,E\n"],
    [
      "mmlu",
      "CSV with a letter that is none, in a row of two lines",
      'Q?,a,b,c,d,A\n"Which,\nor?",a,b,c,d,E\n',
    ],
    ["mmlu", "CSV with an open quote", 'Q?,a,b,c,d,A\n"Q?,a,b,c,d,A\n'],
    [
      "winogrande",
      "no blank",
      jsonl({ id: "a", sentence: "Ann left.", option1: "x", option2: "y", answer: "1" }),
    ],
    [
      "winogrande",
      "a third answer",
      jsonl({ id: "a", sentence: "_ left.", option1: "x", option2: "y", answer: "3" }),
    ],
    [
      "hellaswag",
      "a label that is none",
      jsonl({ ctx_a: "a", ctx_b: "b", activity_label: "c", endings: ["x", "y"], label: "2" }),
    ],
    [
      "hellaswag",
      "no label",
      jsonl({ ctx_a: "a", ctx_b: "b", activity_label: "c", endings: ["x", "y"], label: "" }),
    ],
    ["triviaqa", "no aliases", jsonl({ id: "a", question: "What?", answer: "x" })],
    ["triviaqa", "a document without data", '{"Domain": "Web", "Version": 1}'],
    ["triviaqa", "a document that ends early", '{\n  "Data": [{"Question": "What?"'],
    [
      "triviaqa",
      "the hub's test set",
      jsonl({ question: "What?", question_id: "a", answer: { value: "<unk>", aliases: [] } }),
    ],
    [
      "humaneval",
      "a name that is no name",
      jsonl({
        task_id: "a",
        prompt: "def f():\n",
        entry_point: "f)\nimport os",
        canonical_solution: "  1",
        test: "t",
      }),
    ],
  ];

  it.each(cases)("%s: %s", async (task, _, content) => {
    expect(await failure(task, "questions.x", content)).toMatchSnapshot();
  });

  it("never gives anything but items or a coded error", async () => {
    const path = folder({ "x.jsonl": jsonl(good) });
    const { writeFileSync } = await import("node:fs");
    const file = join(path, "x.jsonl");
    const damaged = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.record({ at: fc.nat(60), byte: fc.nat(255) }).map(({ at, byte }) => {
        const bytes = Buffer.from(jsonl(good, { ...good, id: "b" }));
        bytes[at] = byte;
        return bytes;
      }),
    );
    await fc.assert(
      fc.asyncProperty(damaged, fc.constantFrom(...evalTasks), async (bytes, task) => {
        writeFileSync(file, bytes);
        try {
          expect((await readItems(task, file)).items.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(PersimmonError);
          expect((error as PersimmonError).code).toBe("DATA_INVALID");
          expect((error as PersimmonError).message).toContain(file);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("what is not there", () => {
  const arc = findTask("arc-easy");
  const path = folder({
    "arc/train.jsonl": jsonl(good),
    "arc/validation.jsonl": jsonl(good),
    "two/train_a.jsonl": jsonl(good),
    "two/train_b.jsonl": jsonl(good),
    "many/one.jsonl": jsonl(good),
    "many/other.jsonl": jsonl(good),
    "many/notes.txt": "",
    "empty/.keep": "",
    "ARC-Challenge/ARC-Challenge-Test.jsonl": jsonl(good),
  });
  const fails = (source: string, options = {}) =>
    failureOf(readItems(arc, join(path, source), options), path);

  it.each([
    ["nothing at the path", "none", {}],
    ["a split among two", "arc", {}],
    ["a split that is not there", "arc", { split: "test" }],
    ["a file of another split", "arc/train.jsonl", { split: "validation" }],
    ["two files of one split", "two", { split: "train" }],
    ["files with other names", "many", {}],
    ["an empty folder", "empty", {}],
    ["files of the other ARC", "ARC-Challenge", {}],
    ["a file of the other ARC", "ARC-Challenge/ARC-Challenge-Test.jsonl", {}],
    ["a subset of what has none", "arc", { split: "train", subset: "x" }],
    ["an option that is none", "arc", { splits: "train" }],
    ["a split that is no text", "arc", { split: 1 }],
  ])("%s", async (_, source, options) => {
    expect(await fails(source, options)).toMatchSnapshot();
  });

  it("a subject that is not there", async () => {
    const mmlu = folder({ "test/anatomy_test.csv": "Q?,a,b,c,d,A\n", "validation.jsonl": "" });
    const rows = folder({ "validation.jsonl": jsonl({ ...good, subject: "anatomy" }) });
    const task = findTask("mmlu");
    expect(await failureOf(readItems(task, rows, { subset: "law" }), rows)).toMatchSnapshot();
    expect(await failureOf(readItems(task, join(mmlu, "test"), { subset: "law" }), mmlu)).toMatchSnapshot();
  });

  it("a pipe is no file, and does not hang", async () => {
    const pipe = join(path, "pipe.jsonl");
    execFileSync("mkfifo", [pipe]);
    expect(await failureOf(readItems(arc, pipe), path)).toBe(
      "DATA_MISSING: <directory>/pipe.jsonl: expected a file, found something else.",
    );
  });

  it("a source that is none", async () => {
    expect(await failureOf(readItems(arc))).toMatch(/^DATA_OPTIONS_INVALID: .*"demo" or "hub"/);
    expect(await failureOf(readItems(arc, ""))).toMatch(/^DATA_OPTIONS_INVALID/);
    expect(await failureOf(readItems(arc, []))).toMatch(/^DATA_OPTIONS_INVALID/);
    expect(await failureOf(readItems(arc, 7 as never))).toMatch(/^DATA_OPTIONS_INVALID/);
    expect(await failureOf(readItems(arc, [{ id: "" }]))).toMatch(/^DATA_INVALID: arc-easy: items\[0\]/);
    expect(await failureOf(readItems(arc, [{ id: "a" }, { id: "a" }]))).toMatch(
      /^DATA_INVALID: .*items\[0\] has too/,
    );
    expect(await failureOf(readItems(arc, [null as never]))).toMatch(/^DATA_INVALID/);
  });
});

describe("a task of one's own", () => {
  const task = defineTask<{ q: string }>({ name: "own", prompt: (item) => item.q, gold: () => "x" });

  it("reads JSON lines as they are", async () => {
    const path = folder({ "rows.jsonl": jsonl({ q: "one?", id: 7 }, { q: "two\u2028?" }) });
    const { items, split } = await readItems(task, path);
    expect(split).toBe("rows");
    expect(items).toEqual([
      { id: "7", q: "one?" },
      { id: "rows/1", q: "two\u2028?" },
    ]);
  });
});

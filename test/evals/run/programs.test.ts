import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readItems } from "../../../src/evals/data/read_items.js";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { scoreRun } from "../../../src/evals/run/score_run.js";
import { defineTask, findTask, type HumanEvalItem } from "../../../src/evals/tasks/index.js";
import { failureOf } from "../../support/codes.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";
import { bubblewrapOrSkip } from "../sandbox/bubblewrap_or_skip.js";
import { answersTo, linesOf, modelThatWrites, sampleBytes } from "./support.js";

const directory = temporaryDirectory();
const task = findTask("humaneval");
const options = { task: "humaneval", data: "demo", limit: 12, progress: false } as const;

async function modelWith(body: (item: HumanEvalItem) => string) {
  const { items } = await readItems(task, "demo");
  return modelThatWrites(answersTo(task, items, (item) => body(item as HumanEvalItem)));
}

bubblewrapOrSkip("a task whose programs decide", () => {
  it("canonical solutions pass, bodies `pass` do not, broken ones are counted as such", async () => {
    const right = await runEval({ ...options, model: await modelWith((item) => item.canonicalSolution) });
    expect(right).toMatchObject({ accuracy: 1, n: 12, unparsed: 0 });
    expect(right.summary).toMatchObject({ programs: { passed: 12 }, sandbox: "bubblewrap", not_judged: 0 });
    const idle = await runEval({ ...options, model: await modelWith(() => "    pass\n") });
    expect(idle.accuracy).toBe(0);
    expect(String(idle)).toMatch(/programs: failed 12; sandbox bubblewrap/);
    const broken = await runEval({ ...options, model: await modelWith(() => "    return (\n") });
    expect(broken.summary).toMatchObject({ programs: { syntax: 12 }, correct: 0, unparsed: 0, warnings: [] });
  });

  it("can be run later: nothing is judged before, and the samples stay as they are", async () => {
    const folder = join(directory, "later");
    const model = await modelWith((item) => item.canonicalSolution);
    const before = await runEval({ ...options, model, folder, execute: false });
    expect(before).toMatchObject({ n: 0, isComplete: false });
    expect(String(before)).toMatch(
      /partial 12\/164: no answer yet[\s\S]*not judged: 12 programs were not run/,
    );
    const bytes = sampleBytes(folder);
    const after = await scoreRun(folder);
    expect(after).toMatchObject({ correct: 12, n: 12 });
    expect(sampleBytes(folder)).toBe(bytes);
    const lines = linesOf(folder, "exec.jsonl");
    expect(Object.keys(JSON.parse(lines[0]))).toEqual([
      "task_id",
      "sample",
      "status",
      "detail",
      "ms",
      "program_sha256",
      "sandbox",
    ]);
    // Once is enough, unless it is asked for; a verdict that was lost is found again.
    await scoreRun(folder);
    expect(linesOf(folder, "exec.jsonl")).toEqual(lines);
    await scoreRun(folder, { execute: "again" });
    expect(linesOf(folder, "exec.jsonl")).toHaveLength(24);
    writeFileSync(join(folder, "exec.jsonl"), `${lines.slice(0, 7).join("\n")}\n{"task_id": "de`);
    expect(await runEval({ ...options, model, folder })).toMatchObject({ correct: 12, n: 12 });
    expect(linesOf(folder, "exec.jsonl")).toHaveLength(12);
    expect(JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")).sandbox).toBe("bubblewrap");
  });

  it("pass@k is the mean of the unbiased estimates", async () => {
    const sums = defineTask({
      name: "code",
      items: [
        { prompt: "a", answer: "" },
        { prompt: "b", answer: "" },
      ],
      program: (completion) => completion,
    });
    const model = await modelThatWrites(() => "");
    let calls = 0;
    model.generateBatch = async (prompts, batch) =>
      // Of the ten samples of each item, the first in each batch of five passes.
      prompts.map((_, row) => {
        const generation = { text: row === 0 ? "x = 1" : "x", ids: [calls++], finish: "stop" as const };
        batch?.onFinished?.(row, generation);
        return generation;
      });
    const result = await runEval({ model, task: sums, samples: 10, batchSize: 5, progress: false });
    expect(result.summary.pass_at_k).toEqual([
      { k: 1, value: expect.closeTo(0.2, 12), standard_error: 0 },
      { k: 10, value: 1, standard_error: 0 },
    ]);
    expect([result.accuracy, result.summary.standard_error]).toEqual([0.2, 0]);
  });
});

it("without a sandbox nothing is generated, and the error says what helps", async () => {
  const path = process.env.PATH;
  process.env.PATH = directory;
  try {
    let asked = false;
    const model = await modelThatWrites(() => {
      asked = true;
      return "";
    });
    const failure = await failureOf(runEval({ ...options, model }));
    expect(failure).toMatch(/^SANDBOX_UNAVAILABLE/);
    expect(asked).toBe(false);
  } finally {
    process.env.PATH = path;
  }
});

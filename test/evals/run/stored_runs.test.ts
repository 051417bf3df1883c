import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { compareEvals } from "../../../src/evals/run/compare_evals.js";
import { mergeRuns } from "../../../src/evals/run/merge_runs.js";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { loadRun, scoreRun } from "../../../src/evals/run/score_run.js";
import { defineTask } from "../../../src/evals/tasks/index.js";
import { edits, type LanguageModel, loadModel } from "../../../src/index.js";
import { codeOf, failureOf } from "../../support/codes.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";
import { linesOf, sampleBytes } from "./support.js";

let model: LanguageModel;
const directory = temporaryDirectory();
const folderOf = (name: string) => join(directory, name);
const options = { task: "arc-easy", data: "demo", limit: 30, progress: false } as const;
beforeAll(async () => {
  model = await loadModel();
  await runEval({ model, ...options, folder: folderOf("whole") });
  for (const shard of ["0/3", "1/3", "2/3"]) {
    await runEval({ model, ...options, shard, folder: folderOf(`shard${shard[0]}`) });
  }
});
const shards = [0, 1, 2].map((index) => folderOf(`shard${index}`));

describe("mergeRuns", () => {
  it("puts shards together: the samples of one run, and its score", async () => {
    expect(mergeRuns(folderOf("merged"), shards)).toEqual({ samples: 30 });
    expect(linesOf(folderOf("merged")).sort()).toEqual(linesOf(folderOf("whole")).sort());
    const [merged, whole] = [await scoreRun(folderOf("merged")), await loadRun(folderOf("whole"))];
    expect([merged.correct, merged.n, merged.fingerprint]).toEqual([
      whole.correct,
      whole.n,
      whole.fingerprint,
    ]);
  });

  it("refuses what is there twice, other runs, and nothing; and writes nothing then", async () => {
    const message = await failureOf(
      (async () => mergeRuns(folderOf("twice"), [...shards, shards[1]]))(),
      directory,
    );
    expect(message).toMatch(
      /^RUN_DUPLICATE: the sample of "demo\/arc\/\d+" is in <directory>\/shard1 and in/,
    );
    expect(linesOf(folderOf("twice"))).toEqual([]);
    await runEval({ model, ...options, limit: 2, shotSeed: 1, folder: folderOf("seed1") });
    expect(codeOf(() => mergeRuns(folderOf("x"), [shards[0], folderOf("seed1")]))).toBe("RUN_MISMATCH");
    expect(codeOf(() => mergeRuns(folderOf("x"), []))).toBe("EVAL_OPTIONS_INVALID");
    expect(codeOf(() => mergeRuns(folderOf("x"), [directory]))).toBe("RUN_MISSING");
  });
});

describe("scoreRun", () => {
  it("reads the answers anew, without the model and without touching the samples", async () => {
    const folder = folderOf("scored");
    cpSync(folderOf("whole"), folder, { recursive: true });
    // What the run thought of its answers is not what counts.
    const lines = linesOf(folder).map((line) => line.replace(/"correct":\w+/, '"correct":false'));
    writeFileSync(join(folder, "samples.jsonl"), lines.map((line) => `${line}\n`).join(""));
    const before = sampleBytes(folder);
    const result = await scoreRun(folder);
    expect(result.correct).toBe((await loadRun(folderOf("whole"))).correct);
    expect(result.correct).toBeGreaterThan(10);
    expect(sampleBytes(folder)).toBe(before);
    expect(JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")).correct).toBe(result.correct);
  });

  it("wants the data that the run was made with", async () => {
    const data = join(directory, "other.jsonl");
    writeFileSync(data, '{"id": "1", "question": "?", "choices": ["a", "b"], "gold": 0, "answer": "A"}\n');
    expect(await failureOf(scoreRun(folderOf("whole"), { data }))).toMatch(
      /^(RUN_MISMATCH: the questions in .*other.jsonl have the SHA-256|DATA_SPLIT_UNKNOWN)/,
    );
    expect(await failureOf(scoreRun(directory))).toMatch(/^RUN_MISSING/);
    expect(await failureOf(scoreRun(folderOf("whole"), { execute: "maybe" as never }))).toMatch(
      /^EVAL_OPTIONS_INVALID/,
    );
  });

  it("a task and items of a cell are given again", async () => {
    const items = [{ id: "a", prompt: "Once upon", answer: "a" }];
    const task = defineTask({ name: "own", extract: (text) => text.trim().slice(0, 1) });
    const folder = folderOf("own");
    const made = await runEval({ model, task, data: items, folder, progress: false });
    expect(made.correct).toBe(1);
    expect(await failureOf(scoreRun(folder))).toMatch(/^TASK_UNKNOWN/);
    expect(await failureOf(scoreRun(folder, { task }))).toMatch(/^DATA_MISSING: the items of the run/);
    expect((await scoreRun(folder, { task, data: items })).correct).toBe(1);
    const strict = { ...task, extract: () => null };
    expect(await scoreRun(folder, { task: strict, data: items })).toMatchObject({ correct: 0, unparsed: 1 });
  });
});

describe("compareEvals", () => {
  it("pairs by item: the counts are those of a comparison by hand", async () => {
    const plain = await loadRun(folderOf("whole"));
    using _off = model.edit("layers.4.mlp.out", edits.zero());
    const ablated = await runEval({ model, ...options });
    const comparison = await compareEvals(plain, ablated);
    const right = (result: typeof plain) =>
      new Set(result.samples.filter(({ correct }) => correct).map(({ id }) => id));
    const [a, b] = [right(plain), right(ablated)];
    const lost = [...a].filter((id) => !b.has(id));
    const gained = [...b].filter((id) => !a.has(id));
    expect(lost.length).toBeGreaterThan(0);
    expect(comparison.paired).toMatchObject({ onlyFirst: lost.length, onlySecond: gained.length, n: 30 });
    expect(
      comparison.flips
        .filter(({ change }) => change === "lost")
        .map(({ id }) => id)
        .sort(),
    ).toEqual(lost.sort());
    expect(comparison.change).toBeCloseTo((gained.length - lost.length) / 30, 12);
    expect(String(comparison)).toMatch(/^arc-easy demo: −\d+\.\d ± \d+\.\d points, McNemar p = /);
    expect(String(comparison)).toMatch(/first \(as it is\) .*second \(changed\)/);
    expect(comparison.table().shape[0]).toBe(lost.length + gained.length);
    expect(comparison.figure().data[0].x).toHaveLength(2);
    const bundle = comparison[Symbol.for("Jupyter.display") as never] as () => Record<string, unknown>;
    expect(Object.keys(bundle.call(comparison)).sort()).toEqual(
      ["application/vnd.plotly.v1+json", "text/html", "text/plain"].sort(),
    );
  });

  it("of one run with itself there is no flip; folders do as well; what only one has is left out", async () => {
    const same = await compareEvals(folderOf("whole"), folderOf("whole"));
    expect(same).toMatchObject({ change: 0, p: 1, flips: [], left: 0 });
    expect(codeOf(() => same.table())).toBe("TABLE_EMPTY");
    const part = await compareEvals(folderOf("whole"), shards[0]);
    expect(part.paired.n + part.left).toBe(30);
  });

  it("generated answers and likelihoods of the same items", async () => {
    const likely = await runEval({ model, ...options, method: "likelihood" });
    const comparison = await compareEvals(folderOf("whole"), likely, { likelihood: "acc_norm" });
    expect(comparison.paired.second.correct).toBe(likely.summary.lenient?.correct);
    expect(comparison.lines()[1]).toMatch(/first \(generate\) .*second \(likelihood acc_norm\)/);
  });

  it("refuses what has no item in common", async () => {
    const other = await runEval({ model, task: "mmlu", data: "demo", limit: 2, progress: false });
    expect(await failureOf(compareEvals(folderOf("whole"), other))).toMatch(
      /^EVALS_NOT_COMPARABLE: .*one is arc-easy and the other mmlu/,
    );
    expect(await failureOf(compareEvals(shards[0], shards[1]))).toMatch(
      /^EVALS_NOT_COMPARABLE: .*no item in common/,
    );
    expect(await failureOf(compareEvals(5 as never, other))).toMatch(/^EVAL_OPTIONS_INVALID/);
  });
});

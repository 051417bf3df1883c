import { beforeAll, expect, it } from "vitest";
import { compareEvals } from "../../../src/evals/run/compare_evals.js";
import type { EvalComparison } from "../../../src/evals/run/eval_comparison.js";
import type { EvalResult } from "../../../src/evals/run/eval_result.js";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { type LanguageModel, loadModel } from "../../../src/index.js";
import { withHost } from "../../display/host.js";
import { modelThatWrites } from "./support.js";

let model: LanguageModel;
let result: EvalResult;
beforeAll(async () => {
  model = await loadModel();
  result = await runEval({ model, task: "arc-easy", data: "demo", limit: 40, progress: false });
});

const plotly = "application/vnd.plotly.v1+json";

function bundleOf(shown: EvalResult | EvalComparison): Record<string, unknown> {
  const display = (shown as unknown as Record<symbol, () => Record<string, unknown>>)[
    Symbol.for("Jupyter.display")
  ];
  return display.call(shown);
}

it("shows itself: the score with its split, its interval and all counts, as a figure, HTML and text", () => {
  const bundle = bundleOf(result);
  expect(Object.keys(bundle).sort()).toEqual([plotly, "text/html", "text/plain"]);
  const text = String(bundle["text/plain"]).replace(/\d+\.\d s, [\d,]+ tokens/, "S s, T tokens");
  expect(text).toMatchInlineSnapshot(`
    "arc-easy demo, generate: partial 40/394: 77.5 % (95 % interval 62.5–87.7 %), 31 of 40
    unparsed 0/40, lenient reading 77.5 % (31), at the limit of 8 tokens 0, standard error 6.7 %
    no preset, 1 example from demo, seed 0, with BOS, bfloat16, S s, T tokens/s (4,759 of prompts, 80 generated)
    note: 40 of 394 items are a fair sample, by the hashes of their ids"
  `);
  expect(bundle["text/html"]).toContain("<b>arc-easy demo, generate: partial 40/394: ");
  const { title, height } = result.figure().layout as {
    title: { text: string; subtitle: { text: string } };
    height: number;
  };
  expect(title.text).toBe(result.lines()[0]);
  // A line that is too long for the figure goes on in the next.
  expect(title.subtitle.text.replaceAll("<br>", " ")).toBe(result.lines().slice(1).join(" "));
  expect(height).toBeGreaterThan(200);
});

it("the figure has the interval as whiskers, and a bar for each kind", () => {
  const [trace] = result.figure().data as {
    x: number[];
    error_x: { array: number[]; arrayminus: number[] };
  }[];
  const [low, high] = result.interval!;
  expect(trace.x[0]).toBeCloseTo(100 * result.accuracy, 3);
  expect(trace.x[0] + trace.error_x.array[0]).toBeCloseTo(100 * high, 3);
  expect(trace.x[0] - trace.error_x.arrayminus[0]).toBeCloseTo(100 * low, 3);
  expect(trace.x).toHaveLength(2 + result.byKind().size);
  const counts = [...result.byKind().values()];
  expect(counts.reduce((sum, { n }) => sum + n, 0)).toBe(40);
  expect(counts.reduce((sum, { correct }) => sum + correct, 0)).toBe(result.correct);
});

it("the table has a row for each answer", () => {
  const table = result.table();
  expect(table.shape[0]).toBe(40);
  expect(table.columns).toEqual(["id", "kind", "answer", "gold", "correct", "lenient", "finish"]);
});

it("a whole run needs no such note, and beside every HellaSwag number stands what published ones differ in", async () => {
  const options = { model, data: "demo", progress: false } as const;
  const choices = await modelThatWrites(() => " A");
  expect((await runEval({ ...options, model: choices, task: "winogrande" })).summary.notes).toEqual([]);
  const swag = await runEval({ ...options, model: choices, task: "hellaswag" });
  const likely = await runEval({ ...options, task: "hellaswag", method: "likelihood", limit: 2 });
  const note = /^note: .*klosax's set ctx_b is not capitalised, and scores differ a little$/;
  for (const shown of [swag, likely, await compareEvals(swag, likely)]) {
    expect(shown.lines().filter((line) => note.test(line))).toHaveLength(1);
    expect(String(bundleOf(shown)["text/html"])).toContain("ctx_b is not capitalised");
  }
});

it("a warning and strange text are shown as they are, not as HTML", async () => {
  const task = { ...(await import("../../../src/evals/tasks/index.js")).findTask("arc-easy") };
  const items = [{ id: "1", question: "?", choices: ["a", "b"], gold: 0, kind: "<img>" }];
  const strange = await runEval({
    model: await modelThatWrites(() => "<b>"),
    task: { ...task, shots: 0 },
    data: items as never,
    split: "<script>",
    progress: false,
  });
  const bundle = bundleOf(strange);
  expect(bundle["text/html"]).not.toMatch(/<script>|<img>/);
  expect(JSON.stringify(bundle[plotly])).not.toMatch(/<script>|<img>/);
  expect(bundle["text/html"]).toContain("WARNING: 1 of 1 answers (100.0 %) could not be read");
});

it("a notebook sees the bar with the accuracy so far, and its stop button gives a part", () =>
  withHost(async (sent, interrupt) => {
    const part = await runEval({
      model,
      task: "arc-easy",
      data: "demo",
      limit: 40,
      batchSize: 8,
      onProgress: ({ done }) => done === 16 && interrupt(),
    });
    expect(part.summary.items.done).toBe(16);
    const texts = sent.map(({ bundle }) => String(bundle["text/plain"]));
    expect(texts[0]).toMatch(/^arc-easy demo \[░+\] 0 of 40 answers/);
    expect(texts.at(-1)).toMatch(/interrupted after 16 of 40 answers, \d+\.\d % right/);
  }));

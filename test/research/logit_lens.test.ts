import { beforeAll, expect, it } from "vitest";
import { edits, type LanguageModel, loadModel, logitLens } from "../../src/index.js";
import { failureOf } from "../support/codes.js";
import { expectFigure } from "./figures.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});
const prompt = "Once upon a time there was a little";

/** Log-probabilities and order of one row of logits, computed by hand. */
function softmaxOf(row: Float32Array): { probabilities: Float64Array; order: number[] } {
  const most = row.reduce((a, b) => Math.max(a, b));
  const powers = Float64Array.from(row, (value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b);
  const order = [...row.keys()].sort((a, b) => row[b] - row[a] || a - b);
  return { probabilities: powers.map((power) => power / sum), order };
}

it("the last layer's predictions are those of the model", async () => {
  const lens = await logitLens(model, prompt, { topK: 4 });
  const { data, shape } = await model.logits(prompt);
  const last = model.config.numHiddenLayers;
  expect(lens.sites).toHaveLength(last + 1);
  expect(lens.top.shape).toEqual([last + 1, shape[0], 4]);
  for (let position = 0; position < shape[0]; position++) {
    const { probabilities, order } = softmaxOf(data.subarray(position * shape[1], (position + 1) * shape[1]));
    const at = last * shape[0] + position;
    expect([...lens.top.ids.slice(4 * at, 4 * at + 4)]).toEqual(order.slice(0, 4));
    for (let rank = 0; rank < 4; rank++) {
      expect(lens.top.probabilities[4 * at + rank]).toBeCloseTo(probabilities[order[rank]], 5);
    }
    expect(lens.prediction[position]).toBe(order[0]);
    expect(lens.ofPrediction.ranks[at]).toBe(0);
    expect(lens.ofPrediction.probabilities[at]).toBeCloseTo(probabilities[order[0]], 5);
  }
});

it("a layer's predictions are what a model that ends there would say, whatever the positions", async () => {
  const layer = 1;
  const all = await logitLens(model, prompt);
  const some = await logitLens(model, prompt, { positions: [5, 2], topK: 2 });
  // The layers above write nothing: their part of the residual stream is set to zero.
  const above = [2, 3, 4, 5].flatMap((n) => [
    model.edit(`layers.${n}.attn.out`, edits.zero()),
    model.edit(`layers.${n}.mlp.out`, edits.zero()),
  ]);
  const { data, shape } = await model.logits(prompt);
  for (const edit of above) edit.dispose();
  for (const [column, position] of [5, 2].entries()) {
    const { probabilities, order } = softmaxOf(data.subarray(position * shape[1], (position + 1) * shape[1]));
    const at = (layer + 1) * 2 + column;
    expect([...some.top.ids.slice(2 * at, 2 * at + 2)]).toEqual(order.slice(0, 2));
    const own = some.prediction[column];
    expect(own).toBe(all.prediction[position]);
    expect(some.ofPrediction.ranks[at]).toBe(order.indexOf(own));
    expect(some.ofPrediction.probabilities[at]).toBeCloseTo(probabilities[own], 5);
    expect(some.ofPrediction.ranks[at]).toBe(all.ofPrediction.ranks[(layer + 1) * shape[0] + position]);
  }
});

it("frees what it took and shows itself", async () => {
  await logitLens(model, prompt);
  const before = model.device.memory().bytesInUse;
  const lens = await logitLens(model, prompt, { positions: "last" });
  // Less where an edit of another test was collected meanwhile.
  expect(model.device.memory().bytesInUse).toBeLessThanOrEqual(before);
  expectFigure(lens.figure(), "Logit lens");
  expectFigure(lens.figure({ values: "prediction" }), "Logit lens");
  expect(lens.table().shape).toEqual([7, 8]);
  const shown = (lens as unknown as Record<symbol, () => Record<string, string>>)[
    Symbol.for("Jupyter.display")
  ]();
  expect(shown["text/plain"]).toMatch(/layers\.5\.out: \S+ \(\d/);
});

it.each([
  [{ topK: 0 }, /LENS_OPTIONS_INVALID: logitLens: topK must be a whole number from 1 to 4096, got 0/],
  [{ positions: [99] }, /CACHE_OPTIONS_INVALID: .*position 99/],
  [{ positions: [] }, /LENS_OPTIONS_INVALID: .*at least one/],
])("refuses %j", async (options, message) => {
  expect(await failureOf(logitLens(model, prompt, options))).toMatch(message);
});

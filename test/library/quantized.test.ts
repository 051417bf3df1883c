import { describe, expect, it } from "vitest";
import { convertCheckpoint } from "../../src/convert.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import type { MLP } from "../../src/model/mlp.js";
import { Linear } from "../../src/nn/index.js";
import { randomModel } from "../../src/random_model.js";
import { edits } from "../../src/research/edits.js";
import { logitLens } from "../../src/research/logit_lens.js";
import { mlpSparsity } from "../../src/research/mlp_sparsity.js";
import { temporaryDirectory, tinyCheckpoint } from "../support/tiny_checkpoint.js";

const ids = [1, 270, 300, 5, 9, 11, 280];
const largestDifference = (a: Float32Array, b: Float32Array) =>
  a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
const linears = (model: LanguageModel) => {
  const { selfAttn, mlp } = model.layers[0] as never as Record<string, Record<string, Linear>>;
  return [selfAttn.queryKeyValue, selfAttn.dense, mlp.denseHTo4h, mlp.dense4hToH, model.lmHead as Linear];
};

/** The same rounded weights as they are and widened to float32 again. */
async function both(dtype: "int8" | "int4"): Promise<{ rounded: LanguageModel; widened: LanguageModel }> {
  const folder = temporaryDirectory();
  await convertCheckpoint(await tinyCheckpoint(), `${folder}/rounded`, { to: dtype });
  await convertCheckpoint(`${folder}/rounded`, `${folder}/widened`, { to: "float32" });
  return { rounded: await loadModel(`${folder}/rounded`), widened: await loadModel(`${folder}/widened`) };
}

/** Twenty tokens, each from the logits of all before it. */
async function greedy(model: LanguageModel): Promise<number[]> {
  const all = [...ids];
  for (let step = 0; step < 20; step++) {
    const { data, shape } = await model.logits(all);
    const last = data.subarray(-shape[1]);
    all.push(last.indexOf(Math.max(...last)));
  }
  return all.slice(ids.length);
}

// Products with such weights round activations, too, to 8 bits with a scale for each 32. On average that changes these logits,
// which are as large as 8, by 0.05; rounding the weights to int8 changes them by 0.04, to int4 by 0.6.
describe.each<["int8" | "int4", number]>([
  ["int8", 0.55],
  ["int4", 0.41],
])('dtype "%s"', (dtype, share) => {
  const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Math.sqrt(Float32Array.from(a, (value, i) => (value - b[i]) ** 2).reduce((x, y) => x + y) / a.length);
  const apart = async ({ rounded, widened }: Record<"rounded" | "widened", LanguageModel>) =>
    distance((await rounded.logits(ids)).data, (await widened.logits(ids)).data);

  it("rounds the matrices and nothing else", async () => {
    const model = await loadModel(await tinyCheckpoint(), { dtype });
    expect(linears(model).map(({ weight }) => weight.dtype)).toEqual(Array(5).fill(dtype));
    expect(linears(model).map(({ bias }) => bias?.dtype)).toEqual([...Array(4).fill("float32"), undefined]);
    expect(model.embedTokens.weight.dtype).toBe(dtype);
    expect(model.layers[0].inputLayernorm.weight.dtype).toBe("float32");
    expect(model.dtype).toBe(dtype);
    expect((model.layers[0].mlp as MLP).dense4hToH.weight.isColumnMajor).toBe(true);
    const { weightBytes } = await loadModel(await tinyCheckpoint());
    expect(model.weightBytes).toBeLessThan(share * weightBytes);
  });

  it("computes with the rounded weights: logits, generation from plans, edits, the logit lens, sparsity", async () => {
    const models = await both(dtype);
    const { rounded, widened } = models;
    expect(await apart(models)).toBeLessThan(0.07);
    const made = (await rounded.generate(ids, { maxNewTokens: 20, stopAtEos: false }).done).ids;
    expect(made).toEqual(await greedy(rounded));
    const lens = async (model: LanguageModel) => (await logitLens(model, ids)).ofPrediction.probabilities;
    expect(distance(await lens(rounded), await lens(widened))).toBeLessThan(0.02);
    const zeros = async (model: LanguageModel) => (await mlpSparsity(model, [ids])).zeroFraction;
    expect(distance(await zeros(rounded), await zeros(widened))).toBeLessThan(0.02);
    for (const model of [rounded, widened]) model.edit("layers.1.mlp.out", edits.zero());
    expect(await apart(models)).toBeLessThan(0.07);
  });

  it("gives the same bits token by token and at once, with one thread and with two", async () => {
    const folder = await tinyCheckpoint();
    const logits = async (threads: number) =>
      (await (await loadModel(folder, { dtype, threads })).logits(ids)).data;
    const [one, two] = [await logits(1), await logits(2)];
    expect(two).toEqual(one);
    const model = await loadModel(folder, { dtype });
    const first = (await model.logits(ids.slice(0, 3))).data;
    expect(first).toEqual(one.slice(0, first.length));
  });

  it("an edited copy of a weight can be put in its place", async () => {
    const models = await both(dtype);
    const before = (await models.rounded.logits(ids)).data;
    for (const model of [models.rounded, models.widened]) {
      const { weight, bias } = (model.layers[0].mlp as MLP).denseHTo4h as Linear;
      const copy = weight.copy().keep();
      copy.write((await weight.data()).map((value) => 2 * value));
      (model.layers[0].mlp as MLP).denseHTo4h = new Linear(copy, bias);
    }
    expect(distance((await models.rounded.logits(ids)).data, before)).toBeGreaterThan(0.5);
    expect(await apart(models)).toBeLessThan(0.07);
  });

  it("random models have it", async () => {
    const shape = { hidden: 256, layers: 2, heads: 4, ffn: 1024, vocab: 320 };
    const model = randomModel(shape, { dtype, maxLength: 64 });
    const bfloat16 = randomModel(shape, { dtype: "bfloat16", maxLength: 64 });
    expect(linears(model).map(({ weight }) => weight.dtype)).toEqual(Array(5).fill(dtype));
    const all = new Set([model.embedTokens.weight, ...linears(model).map(({ weight }) => weight)]);
    expect(all.size).toBe(6);
    const difference = largestDifference((await model.logits(ids)).data, (await bfloat16.logits(ids)).data);
    expect(difference).toBeLessThan(dtype === "int8" ? 0.2 : 2);
    expect(model.weightBytes).toBeLessThan((dtype === "int8" ? 0.6 : 0.35) * bfloat16.weightBytes);
  });
});

it("int4 leaves a matrix as it is whose rows are no whole number of groups", async () => {
  const model = await loadModel(await tinyCheckpoint({ hidden_size: 48, intermediate_size: 96 }), {
    dtype: "int4",
  });
  const types = linears(model).map(({ weight }) => weight.dtype);
  expect(types).toEqual(["float32", "float32", "float32", "int4", "float32"]);
});

it("one rounding is loaded as another from what it holds", async () => {
  const { rounded, widened } = await both("int4");
  const folder = temporaryDirectory();
  await convertCheckpoint(rounded.source, `${folder}/int8`, { to: "int8" });
  const int8 = await loadModel(`${folder}/int8`);
  expect(int8.dtype).toBe("int8");
  const wanted = (await widened.logits(ids)).data;
  // Rounded to int8 once more, and activations in both.
  expect(largestDifference((await int8.logits(ids)).data, wanted)).toBeLessThan(0.6);
});

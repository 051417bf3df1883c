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

/** The same rounded weights as int8 and widened to float32 again. */
async function both(): Promise<{ int8: LanguageModel; widened: LanguageModel }> {
  const folder = temporaryDirectory();
  await convertCheckpoint(await tinyCheckpoint(), `${folder}/int8`, { to: "int8" });
  await convertCheckpoint(`${folder}/int8`, `${folder}/widened`, { to: "float32" });
  return { int8: await loadModel(`${folder}/int8`), widened: await loadModel(`${folder}/widened`) };
}

describe('dtype "int8"', () => {
  it("rounds the matrices of products and nothing else", async () => {
    const model = await loadModel(await tinyCheckpoint(), { dtype: "int8" });
    expect(linears(model).map(({ weight }) => weight.dtype)).toEqual(Array(5).fill("int8"));
    expect(linears(model).map(({ bias }) => bias?.dtype)).toEqual([...Array(4).fill("float32"), undefined]);
    expect(model.embedTokens.weight.dtype).toBe("float32");
    expect(model.layers[0].inputLayernorm.weight.dtype).toBe("float32");
    expect(model.dtype).toBe("int8");
    expect((model.layers[0].mlp as MLP).dense4hToH.weight.isColumnMajor).toBe(true);
    const { weightBytes } = await loadModel(await tinyCheckpoint());
    expect(model.weightBytes).toBeLessThan(0.55 * weightBytes);
  });

  it("computes with the rounded weights: logits, generation from plans, edits, the logit lens, sparsity", async () => {
    const { int8, widened } = await both();
    expect(largestDifference((await int8.logits(ids)).data, (await widened.logits(ids)).data)).toBeLessThan(
      1e-5,
    );
    const greedy = async (model: LanguageModel) =>
      (await model.generate(ids, { maxNewTokens: 20, stopAtEos: false }).done).ids;
    expect(await greedy(int8)).toEqual(await greedy(widened));
    const lens = async (model: LanguageModel) => (await logitLens(model, ids)).ofPrediction;
    const [a, b] = [await lens(int8), await lens(widened)];
    expect(a.ranks).toEqual(b.ranks);
    expect(largestDifference(a.probabilities, b.probabilities)).toBeLessThan(1e-6);
    const zeros = async (model: LanguageModel) => (await mlpSparsity(model, [ids])).zeroFraction;
    expect(await zeros(int8)).toEqual(await zeros(widened));
    for (const model of [int8, widened]) model.edit("layers.1.mlp.out", edits.zero());
    expect(await greedy(int8)).toEqual(await greedy(widened));
  });

  it("an edited copy of a weight can be put in its place", async () => {
    const { int8, widened } = await both();
    for (const model of [int8, widened]) {
      const { weight, bias } = (model.layers[0].mlp as MLP).denseHTo4h as Linear;
      const copy = weight.copy().keep();
      copy.write((await weight.data()).map((value) => 2 * value));
      (model.layers[0].mlp as MLP).denseHTo4h = new Linear(copy, bias);
    }
    expect(largestDifference((await int8.logits(ids)).data, (await widened.logits(ids)).data)).toBeLessThan(
      1e-5,
    );
  });

  it("random models have it", async () => {
    const shape = { hidden: 256, layers: 2, heads: 4, ffn: 1024, vocab: 320 };
    const model = randomModel(shape, { dtype: "int8", maxLength: 64 });
    const bfloat16 = randomModel(shape, { dtype: "bfloat16", maxLength: 64 });
    expect(linears(model).map(({ weight }) => weight.dtype)).toEqual(Array(5).fill("int8"));
    const all = new Set([model.embedTokens.weight, ...linears(model).map(({ weight }) => weight)]);
    expect(all.size).toBe(6);
    const difference = largestDifference((await model.logits(ids)).data, (await bfloat16.logits(ids)).data);
    expect(difference).toBeLessThan(0.2);
    expect(model.weightBytes).toBeLessThan(0.6 * bfloat16.weightBytes);
  });
});

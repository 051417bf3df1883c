import { describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import type { MLP } from "../../src/model/mlp.js";
import { Linear } from "../../src/nn/index.js";
import { randomModel } from "../../src/random_model.js";
import { mlpSparsity } from "../../src/research/mlp_sparsity.js";
import { codeOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const ids = [1, 270, 300, 5, 9, 11, 280];
const shape = { hidden: 256, layers: 2, heads: 4, ffn: 1024, vocab: 320 };
const down = (model: LanguageModel, layer = 0) => (model.layers[layer].mlp as MLP).dense4hToH as Linear;
const largestDifference = (a: Float32Array, b: Float32Array) =>
  a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);

describe("skipZeros", () => {
  it("reorders the down projections only, and changes results in rounding only", async () => {
    const directory = await tinyCheckpoint();
    const skipping = await loadModel(directory);
    const plain = await loadModel(directory, { skipZeros: false });
    expect([down(skipping).weight.isColumnMajor, down(plain).weight.isColumnMajor]).toEqual([true, false]);
    const up = (skipping.layers[0].mlp as MLP).denseHTo4h as Linear;
    expect(up.weight.isColumnMajor).toBe(false);
    expect(down(skipping).weight.shape).toEqual(down(plain).weight.shape);
    expect(await down(skipping).weight.data()).toEqual(await down(plain).weight.data());
    const [a, b] = [(await skipping.logits(ids)).data, (await plain.logits(ids)).data];
    expect(largestDifference(a, b)).toBeLessThan(1e-5);
    expect(skipping.weightBytes).toBe(plain.weightBytes);
  });

  it("gives the same greedy text however many inputs are zero", async () => {
    for (const zeros of [0.1, 0.9, 0.99]) {
      const texts = [true, false].map(async (skipZeros) => {
        const model = randomModel(shape, { skipZeros, zeros, maxLength: 64, threads: 2 });
        return (await model.generate(ids, { maxNewTokens: 20 }).done).ids;
      });
      const [skipped, plain] = await Promise.all(texts);
      expect(skipped).toEqual(plain);
    }
  });

  it("is counted: a token reads what is not zero, and all of it without", async () => {
    const weights = (model: LanguageModel) => down(model).weight.byteLength * shape.layers;
    const traffic = async (skipZeros: boolean) => {
      const model = randomModel(shape, { skipZeros, zeros: 0.9, maxLength: 64, threads: 2 });
      const before = await model.device.weightTraffic();
      await model.generate(ids, { maxNewTokens: 11, stopAtEos: false }).done; // the first token is the prompt's
      const after = await model.device.weightTraffic();
      const table = model.embedTokens.weight.byteLength;
      const vectors = 4 * shape.layers * (4 * shape.hidden + 3 * shape.hidden + shape.ffn + 2 * shape.hidden);
      return {
        model,
        read: after.read - before.read,
        skipped: after.skipped - before.skipped,
        products: model.weightBytes - table - vectors,
      };
    };
    const [plain, skipping] = [await traffic(false), await traffic(true)];
    expect(plain.skipped).toBe(0);
    expect(plain.read / 11 / plain.products).toBeCloseTo(1, 1);
    expect(skipping.read + skipping.skipped).toBe(plain.read);
    expect(skipping.skipped / (11 * weights(skipping.model))).toBeGreaterThan(0.8);
    expect(skipping.skipped / (11 * weights(skipping.model))).toBeLessThan(0.95);
  });

  it("a down projection with the weight in rows can be put in its place", async () => {
    const model = randomModel(shape, { maxLength: 64 });
    const before = (await model.logits(ids)).data;
    const { weight, bias } = down(model);
    const rows = weight.reshape(weight.shape).keep();
    expect(rows.isColumnMajor).toBe(false);
    (model.layers[0].mlp as MLP).dense4hToH = new Linear(rows, bias);
    expect(largestDifference((await model.logits(ids)).data, before)).toBeLessThan(1e-4);
  });

  it("is true or false", async () => {
    expect(codeOf(() => randomModel(shape, { skipZeros: 1 as never }))).toBe("OPTION_INVALID");
    await expect(loadModel(undefined, { skipZeros: "no" as never })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining('skipZeros must be true or false, got "no"'),
    });
  });
});

describe("randomModel's zeros", () => {
  it("are about the share that was asked for", async () => {
    for (const zeros of [0.5, 0.9]) {
      const model = randomModel(shape, { zeros, maxLength: 256 });
      const text = Array.from({ length: 200 }, (_, i) => (i * 79) % shape.vocab);
      const { zeroFraction } = await mlpSparsity(model, [text]);
      for (const share of zeroFraction) expect(Math.abs(share - zeros)).toBeLessThan(0.03);
    }
  });

  it("lie between 0 and 1; types are those of weights", () => {
    for (const zeros of [0, 1, -1, Number.NaN]) {
      expect(codeOf(() => randomModel(shape, { zeros }))).toBe("OPTION_INVALID");
    }
    for (const dtype of ["int2", "auto", "float16"]) {
      expect(codeOf(() => randomModel(shape, { dtype: dtype as never }))).toBe("DTYPE_UNSUPPORTED");
    }
  });
});

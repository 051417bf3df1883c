import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { jupyterDisplay } from "../../src/display/mime.js";
import {
  type LanguageModel,
  loadModel,
  loadZeroPredictor,
  nn,
  predictZeros,
  randomModel,
  type Site,
  saveZeroPredictor,
  type Tensor,
  ZeroPredictor,
} from "../../src/index.js";
import { demoModelDirectory } from "../../src/load_model.js";
import { codeOf, failureOf } from "../support/codes.js";

const texts = readFileSync(join(demoModelDirectory(), "held-out.txt"), "utf8")
  .split("|ENDOFTEXT|\n")
  .filter((text) => text.trim() !== "")
  .slice(0, 8);
const quiet = { progress: false };

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});

/** The bits of the logits of a text. */
async function bitsOf(of: LanguageModel, text: string): Promise<string> {
  const { data } = await of.logits(text);
  return createHash("sha256").update(data).digest("hex");
}

/** Values at a site over the texts of one half. */
async function valuesAt(site: Site, parity: number): Promise<Float32Array> {
  const found: Float32Array[] = [];
  for (const text of texts.filter((_, n) => n % 2 === parity)) {
    const { cache } = await model.runWithCache(text, { names: [site] });
    found.push(cache.get(site).data);
  }
  return Float32Array.from(found.flatMap((part) => [...part]));
}

describe("predictZeros on the bundled model", () => {
  it.each([0.9, 0.99])("finds a share of %s with few rows read, as it says", async (recall) => {
    const predictor = await predictZeros(model, texts, { recall, ...quiet });
    expect(predictor.layers).toHaveLength(model.config.numHiddenLayers);
    // The half that the thresholds were not chosen on: near what was asked for, not exactly that.
    expect(predictor.measuredRecall).toBeGreaterThan(recall - 0.02);
    expect(predictor.density).toBeLessThan(0.2);
    // The first layer sees the same input with and without prediction: what is read can be compared one by one.
    const exact = await valuesAt("layers.0.mlp.pre", 1);
    using _ = predictor.apply(model);
    const predicted = await valuesAt("layers.0.mlp.pre", 1);
    let [live, found, read] = [0, 0, 0];
    for (const [at, value] of predicted.entries()) {
      if (value !== 0) {
        expect(value).toBe(exact[at]);
        read++;
      }
      if (exact[at] > 0) {
        live++;
        if (value !== 0) found++;
      }
    }
    expect(found / live).toBeCloseTo(predictor.layers[0].recall, 4);
    expect(read / exact.length).toBeCloseTo(predictor.layers[0].density, 4);
  });

  it("changes no bit where no neuron above zero is missed", async () => {
    const predictor = await predictZeros(model, texts, { recall: 1, ...quiet });
    const exact = await bitsOf(model, texts[0]);
    const plain = await model.generate(texts[2], { maxNewTokens: 12 }).done;
    using _ = predictor.apply(model);
    expect(await bitsOf(model, texts[0])).toBe(exact);
    expect(await model.generate(texts[2], { maxNewTokens: 3 }).done).toMatchObject({
      ids: plain.ids.slice(0, 3),
    });
  });

  it("reads less, and says how much", async () => {
    const predictor = await predictZeros(model, texts, { recall: 0.99, ...quiet });
    const skippedBy = async () => {
      using kv = await model.prefill(texts[1]);
      const before = await model.device.weightTraffic();
      await model.generate([300], { kv, maxNewTokens: 8, stopAtEos: false }).done;
      return ((await model.device.weightTraffic()).skipped - before.skipped) / 8;
    };
    const without = await skippedBy();
    using _ = predictor.apply(model);
    const up = 6 * 1024 * 256 * 2;
    expect(((await skippedBy()) - without) / up).toBeGreaterThan(0.8);
    expect(predictor.bytes).toBeCloseTo(4.5 / 16 + predictor.density, 10);
  });

  it("stays in the plan, and is gone when it is disposed of", async () => {
    const before = await bitsOf(model, texts[0]);
    const mlp = model.layers[0].mlp;
    const predictor = await predictZeros(model, texts, { recall: 0.5, ...quiet });
    const inForce = predictor.apply(model);
    expect(await bitsOf(model, texts[0])).not.toBe(before);
    await model.generate("The", { maxNewTokens: 3, stopAtEos: false }).done;
    expect(
      model
        .plan()
        .segments.flat()
        .filter((op) => op.startsWith("linearWhere")),
    ).toHaveLength(6);
    expect(model.plan().breaks).toEqual([]);
    await expect(predictZeros(model, texts, quiet)).rejects.toThrow(
      expect.objectContaining({ code: "ZERO_PREDICTION_UNSUPPORTED" }),
    );
    expect(codeOf(() => predictor.apply(model))).toBe("ZERO_PREDICTION_UNSUPPORTED");
    inForce.dispose();
    inForce.dispose();
    expect(model.layers[0].mlp).toBe(mlp);
    expect(await bitsOf(model, texts[0])).toBe(before);
  });

  it("leaves a module alone that was put in its place meanwhile", async () => {
    class Zero extends nn.Module {
      protected override forward(x: Tensor): Tensor {
        return x;
      }
    }
    const predictor = await predictZeros(model, texts, quiet);
    const original = model.layers[1].mlp;
    const inForce = predictor.apply(model);
    const other = new Zero();
    model.layers[1].mlp = other;
    inForce.dispose();
    expect(model.layers[1].mlp).toBe(other);
    model.layers[1].mlp = original;
  });

  it("shows itself", async () => {
    const predictor = await predictZeros(model, texts, quiet);
    const shown = predictor[jupyterDisplay]();
    expect(shown["text/plain"]).toContain("of the neurons above zero are found (asked for: 99.9 %)");
    expect(shown["text/html"]).toContain("recall (%)");
    expect(predictor.table().shape).toEqual([6, 4]);
  });
});

describe("what predictZeros refuses", () => {
  it.each<[unknown, string]>([
    [0, "0"],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    ["0.9", '"0.9"'],
  ])("a recall of %o", async (recall, shown) => {
    expect(await failureOf(predictZeros(model, texts, { recall: recall as number, ...quiet }))).toBe(
      `ZERO_PREDICTION_INVALID: recall must be above 0 and at most 1, got ${shown}`,
    );
  });

  it("one text", async () => {
    expect(await failureOf(predictZeros(model, ["only one"], quiet))).toContain(
      "ZERO_PREDICTION_INVALID: give at least two texts",
    );
  });

  it.each(["int8", "int4"] as const)("weights in %s, whose rows lie together", async (dtype) => {
    const shape = { hidden: 64, layers: 1, heads: 1, ffn: 64, vocab: 64 };
    const scaled = randomModel(shape, { dtype, maxLength: 32 });
    expect(
      await failureOf(
        predictZeros(
          scaled,
          [
            [1, 2],
            [3, 4],
          ],
          quiet,
        ),
      ),
    ).toContain(
      `ZERO_PREDICTION_UNSUPPORTED: layers.0.mlp: zeros cannot be predicted: the up projection is ${dtype}`,
    );
  });

  it("rows that int4 cannot hold, and MLPs of another kind", async () => {
    const shape = { hidden: 48, layers: 1, heads: 1, ffn: 64, vocab: 64 };
    const odd = randomModel(shape, { maxLength: 32 });
    expect(
      await failureOf(
        predictZeros(
          odd,
          [
            [1, 2],
            [3, 4],
          ],
          quiet,
        ),
      ),
    ).toContain("multiple of 32 weights");
    odd.layers[0].mlp = new nn.LayerNorm(odd.finalLayernorm.weight, odd.finalLayernorm.bias, 1e-5);
    expect(
      await failureOf(
        predictZeros(
          odd,
          [
            [1, 2],
            [3, 4],
          ],
          quiet,
        ),
      ),
    ).toContain("found another module");
  });
});

describe("a predictor in a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "persimmon-zeros-"));
  const path = join(folder, "zeros.json");
  let predictor: ZeroPredictor;
  beforeAll(async () => {
    predictor = await predictZeros(model, texts, quiet);
    await saveZeroPredictor(predictor, path);
  });

  it("comes back as it was, and is in force in a model that is loaded with it", async () => {
    expect(await loadZeroPredictor(path)).toEqual(predictor);
    const loaded = await loadModel(undefined, { predictZeros: path });
    using _ = predictor.apply(model);
    expect(await bitsOf(loaded, texts[0])).toBe(await bitsOf(model, texts[0]));
  });

  it("is refused by a model with other weights", async () => {
    const shape = { hidden: 64, layers: 1, heads: 1, ffn: 64, vocab: 64 };
    const other = randomModel(shape, { maxLength: 32 });
    expect(codeOf(() => predictor.apply(other))).toBe("ZERO_PREDICTOR_MISMATCH");
    expect(() => predictor.apply(other)).toThrow(
      "this predictor is for 6 layers, but the model has 1; make one for this model with predictZeros",
    );
    // As many layers, but biases that are others: both hashes are named, and not the layers, which agree.
    const { weights, recall, layers, tokens } = predictor;
    const foreign = new ZeroPredictor({ weights: "0".repeat(64), recall, layers, tokens });
    expect(() => foreign.apply(model)).toThrow(
      `the SHA-256 of the up projections' biases is 000000000000… for the predictor and ${weights.slice(0, 12)}… for the model`,
    );
    expect(() => foreign.apply(model)).not.toThrow("layers");
    await expect(loadModel(undefined, { dtype: "int8", predictZeros: path })).rejects.toThrow(
      expect.objectContaining({ code: "ZERO_PREDICTION_UNSUPPORTED" }),
    );
  });

  it.each<[string, (json: Record<string, unknown>) => unknown]>([
    ["another format", (json) => ({ ...json, format: "x" })],
    ["a later version", (json) => ({ ...json, version: 2 })],
    ["no object", () => [1]],
    ["a null", () => null],
    ["weights that are no SHA-256", (json) => ({ ...json, weights: "abc" })],
    ["a recall that is no share", (json) => ({ ...json, recall: 2 })],
    ["no tokens", (json) => ({ ...json, tokens: undefined })],
    ["no layers", (json) => ({ ...json, layers: [] })],
    ["a layer without a threshold", (json) => ({ ...json, layers: [{ recall: 1, density: 1 }] })],
    ["a layer that is null", (json) => ({ ...json, layers: [null] })],
  ])("with %s is refused", async (_, change) => {
    const broken = join(folder, "broken.json");
    writeFileSync(broken, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")))));
    expect(await failureOf(loadZeroPredictor(broken), folder)).toContain(
      "ZERO_PREDICTOR_INVALID: <directory>/broken.json: ",
    );
  });

  it("that is no JSON, or not there, is refused", async () => {
    writeFileSync(join(folder, "torn.json"), '{"format": "persim');
    expect(await failureOf(loadZeroPredictor(join(folder, "torn.json")))).toContain("ZERO_PREDICTOR_INVALID");
    expect(await failureOf(loadZeroPredictor(join(folder, "none.json")))).toContain("CHECKPOINT_UNREADABLE");
  });

  it("cannot be written into a folder that is not there", async () => {
    expect(await failureOf(saveZeroPredictor(predictor, join(folder, "none", "zeros.json")))).toContain(
      "FILE_UNWRITABLE",
    );
  });
});

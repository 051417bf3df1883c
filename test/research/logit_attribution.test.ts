import { beforeAll, describe, expect, it } from "vitest";
import {
  edits,
  type LanguageModel,
  loadModel,
  logitAttribution,
  nn,
  ops,
  type Tensor,
} from "../../src/index.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";
import { expectFigure } from "./figures.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});
const prompt = "Lily was sad. Her mom gave her a";

describe("logitAttribution", () => {
  it("the parts and the biases sum to the model's logit difference", async () => {
    const tiny = await loadModel(await tinyCheckpoint());
    const cases = [
      [model, prompt, { answer: "big", wrong: "small" }],
      [model, prompt, { answer: "hug" }],
      [model, prompt, { answer: 100, wrong: 7, position: 3 }],
      [tiny, [1, 270, 300, 5, 9, 11, 280], { answer: 40, wrong: 41 }],
    ] as const;
    for (const [of, text, options] of cases) {
      const result = await logitAttribution(of, text, options);
      const { data, shape } = await of.logits(text);
      const logits = data.subarray(result.position * shape[1], (result.position + 1) * shape[1]);
      const wanted = logits[result.answer.id] - (result.wrong ? logits[result.wrong.id] : 0);
      expect(result.logitDifference).toBe(wanted);
      expect(Math.abs(result.sum - wanted)).toBeLessThan(1e-3);
      expect(Math.abs(result.rest)).toBeLessThan(1e-3);
      const [layers, heads] = result.heads.shape;
      for (let layer = 0; layer < layers; layer++) {
        let whole = result.attentionBias[layer];
        for (let head = 0; head < heads; head++) whole += result.heads.data[layer * heads + head];
        expect(whole).toBeCloseTo(result.attention[layer], 3);
      }
      const each = result.parts({ heads: true }).reduce((sum, { contribution }) => sum + contribution, 0);
      expect(Math.abs(each - wanted)).toBeLessThan(1e-3);
    }
  });

  it("an MLP's part is what its output is worth under the frozen scale", async () => {
    const result = await logitAttribution(model, prompt, { answer: "big", wrong: "small" });
    const { cache } = await model.runWithCache(prompt, {
      names: ["layers.2.mlp.out", "layers.5.out"],
      keep: "last",
    });
    const x = cache.get("layers.5.out").data;
    const part = cache.get("layers.2.mlp.out").data;
    const mean = x.reduce((a, b) => a + b) / x.length;
    const scale = Math.sqrt(x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length + 1e-5);
    const partMean = part.reduce((a, b) => a + b) / part.length;
    const weight = await model.finalLayernorm.weight.data();
    const head = await model.lmHead.weight.data();
    const of = (id: number) =>
      part.reduce(
        (sum, value, i) => sum + ((value - partMean) / scale) * weight[i] * head[id * x.length + i],
        0,
      );
    expect(result.mlp[2]).toBeCloseTo(of(result.answer.id) - of(result.wrong?.id ?? -1), 4);
  });

  it("what an edit adds to the residual stream is a part of its own", async () => {
    using _edit = model.edit("layers.1.out", edits.noise({ deviation: 1, seed: 3 }));
    const result = await logitAttribution(model, prompt, { answer: "big", wrong: "small" });
    expect(Math.abs(result.rest)).toBeGreaterThan(0.01);
    expect(Math.abs(result.sum - result.logitDifference)).toBeLessThan(1e-3);
  });

  it("has figures and a table, and frees what it took", async () => {
    const before = model.device.memory().bytesInUse;
    const result = await logitAttribution(model, prompt, { answer: "big", wrong: "small" });
    // Less where an edit of another test was collected meanwhile.
    expect(model.device.memory().bytesInUse).toBeLessThanOrEqual(before);
    expectFigure(result.figure(), "logit(big) − logit(small)");
    expectFigure(result.headFigure(), "each head");
    expect(result.table({ heads: true }).shape).toEqual([1 + 6 * 6 + 2, 4]);
  });

  it("refuses answers that are no token, and modules that it cannot take apart", async () => {
    const failure = (options: object) => failureOf(logitAttribution(model, prompt, options as never));
    expect(await failure({ answer: "unbelievably strange" })).toMatch(
      /^ANSWER_INVALID: answer must be one token/,
    );
    expect(await failure({ answer: 4096 })).toMatch(/^ANSWER_INVALID: answer must be an id from 0 to 4095/);
    expect(await failure({})).toMatch(/^ANSWER_INVALID/);
    expect(await failure({ answer: 1, position: 50 })).toMatch(/^CACHE_OPTIONS_INVALID/);
    class Double extends nn.Module {
      protected override forward(x: Tensor): Tensor {
        return ops.add(x, x);
      }
    }
    const { finalLayernorm } = model;
    model.finalLayernorm = new Double();
    expect(await failure({ answer: 1 })).toMatch(/^ATTRIBUTION_UNSUPPORTED: .*got Double/);
    model.finalLayernorm = finalLayernorm;
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { attentionPatterns, type LanguageModel, loadModel } from "../../src/index.js";
import { failureOf } from "../support/codes.js";
import { expectSameBits } from "../tensor/ops/on_device.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});
const prompt = "Once upon a time there was a little girl";

describe("attentionPatterns", () => {
  it("are those of runWithCache, sorted by head", async () => {
    const { cache } = await model.runWithCache(prompt, { names: ["layers.*.attn.pattern"] });
    const patterns = await attentionPatterns(model, prompt);
    const some = await attentionPatterns(model, prompt, { layers: [3, 1], heads: [2] });
    const [layers, heads, count] = patterns.shape;
    expect(patterns.shape).toEqual([6, 4, count, count]);
    expect(some.shape).toEqual([2, 1, count, count]);
    expect(patterns.tokens).toHaveLength(count);
    for (let layer = 0; layer < layers; layer++) {
      const { data } = cache.get(`layers.${layer}.attn.pattern`);
      for (let head = 0; head < heads; head++) {
        const wanted = Array.from({ length: count }, (_, row) => [
          ...data.subarray((row * heads + head) * count, (row * heads + head + 1) * count),
        ]).flat();
        expectSameBits(patterns.pattern(layer, head), Float32Array.from(wanted));
      }
    }
    for (const layer of [3, 1]) expectSameBits(some.pattern(layer, 2), patterns.pattern(layer, 2));
    expect(() => some.pattern(0, 2)).toThrow(/layers 3, 1 and heads 2 were/);
  });

  it("say what each head looks at", async () => {
    const patterns = await attentionPatterns(model, prompt);
    const count = patterns.tokens.length;
    for (const habits of patterns.habits()) {
      const pattern = patterns.pattern(habits.layer, habits.head);
      let before = 0;
      let entropy = 0;
      for (let row = 1; row < count; row++) {
        before += pattern[row * count + row - 1] / (count - 1);
        for (let column = 0; column <= row; column++) {
          const share = pattern[row * count + column];
          if (share > 0) entropy -= (share * Math.log2(share)) / (count - 1);
        }
      }
      expect(habits["to the token before"]).toBeCloseTo(before, 6);
      expect(habits["entropy (bits)"]).toBeCloseTo(entropy, 6);
    }
    // One of this model's heads looks at the token before, as one of most models does.
    expect(Math.max(...patterns.habits().map((habits) => habits["to the token before"]))).toBeGreaterThan(
      0.4,
    );
    expect(patterns.table().shape).toEqual([24, 6]);
  });

  it("a figure has a panel for each head, with token labels on the outer sides", async () => {
    const patterns = await attentionPatterns(model, prompt);
    const figure = patterns.figure({ layers: [0, 2], heads: [1, 3, 0] });
    expect(figure.data).toHaveLength(6);
    const axis = (name: string) => figure.layout[name] as { ticktext?: string[]; showticklabels: boolean };
    expect(axis("yaxis").ticktext).toEqual(patterns.tokens);
    expect(axis("yaxis2").showticklabels).toBe(false);
    expect(axis("xaxis4").ticktext).toEqual(patterns.tokens);
    expect(axis("xaxis").showticklabels).toBe(false);
    expect((figure.layout.annotations as { text: string }[]).map(({ text }) => text)).toEqual(
      [0, 2].flatMap((layer) => [1, 3, 0].map((head) => `layer ${layer}, head ${head}`)),
    );
    expect(() => patterns.figure({ layers: [] })).toThrow(/at least one/);
    const shown = (patterns as unknown as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]();
    expect(shown["text/plain"]).toContain("to the token before");
    const single = await attentionPatterns(model, [5]);
    expect(single.habits()[0]["to itself"]).toBeCloseTo(1, 6);
    single.figure();
  });

  it.each([
    [{ layers: [6] }, /^INDEX_OUT_OF_RANGE: .*layers .*0 to 5/],
    [{ heads: [] }, /^INDEX_OUT_OF_RANGE: .*heads/],
    [{ maxBytes: 1000 }, /^CACHE_OVER_BUDGET: .*maxBytes/],
  ])("refuses %j", async (options, message) => {
    expect(await failureOf(attentionPatterns(model, prompt, options))).toMatch(message);
  });
});

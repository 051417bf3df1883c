import { beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel, type Site } from "../../src/index.js";
import { codeOf } from "../support/codes.js";
import { expectSameBits } from "../tensor/ops/on_device.js";
import { expectFigure } from "./figures.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});
const prompt = "Once upon a time there was a little girl";

describe("FiringCounts", () => {
  it("have the rates, the figure and the table of what runWithCache shows", async () => {
    using counter = model.countFiring();
    const tokens = model.encodePrompt(prompt).length;
    await model.logits(prompt);
    await model.logits(prompt);
    const counts = await counter.read();
    expect(counts.shape).toEqual([6, 1024]);
    expect(counts.tokens).toBe(2 * tokens);
    const { cache } = await model.runWithCache(prompt, { names: ["layers.*.mlp.act"] });
    for (const site of counts.sites) {
      const wanted = new Float64Array(1024);
      for (const [at, value] of cache.get(site).data.entries())
        if (value > 0) wanted[at % 1024] += 1 / tokens;
      for (const [unit, rate] of counts.rates(site).entries()) expect(rate).toBeCloseTo(wanted[unit], 12);
    }
    expectFigure(counts.figure(), "How often each unit fires");
    const [first] = counts.figure().data as { y: number[] }[];
    expect([...first.y].sort((a, b) => b - a)).toEqual(first.y);
    const table = counts.table();
    expect(table.shape).toEqual([6, 5]);
    const never = counts.rates("layers.0.mlp.act").filter((rate) => rate === 0).length;
    expect((table.values as unknown[][])[0].at(-1)).toBe(never);
    expect(codeOf(() => counts.rates("layers.0.out"))).toBe("SITE_NOT_COUNTED");
  });

  it("of no token are all zero", async () => {
    using counter = model.countFiring("layers.1.mlp.act");
    const counts = await counter.read();
    expect(counts.rates("layers.1.mlp.act").every((rate) => rate === 0)).toBe(true);
    expectFigure(counts.figure(), "How often");
  });
});

describe("ActivationCache.stack", () => {
  it("puts the values of all layers behind one another", async () => {
    const { cache } = await model.runWithCache(prompt, {
      names: ["embed.out", "layers.*.out", "layers.*.attn.q", "layers.*.mlp.act", "layers.0.mlp.out"],
      keep: [1, 4, 6],
    });
    const stack = cache.stack("layers.*.out");
    expect(stack.shape).toEqual([6, 3, 256]);
    expect(stack.sites).toEqual([0, 1, 2, 3, 4, 5].map((layer) => `layers.${layer}.out`));
    expect(stack.positions).toEqual([1, 4, 6]);
    for (const [index, site] of stack.sites.entries()) {
      expectSameBits(stack.data.slice(index * 768, (index + 1) * 768), cache.get(site).data);
    }
    expect(cache.stack("layers.*.attn.q").shape).toEqual([6, 3, 4, 64]);
    expect(cache.stack("layers.2.out").shape).toEqual([1, 3, 256]);
    expect(codeOf(() => cache.stack("layers.*.mid"))).toBe("SITE_NOT_CACHED");
    // A star is one part of a name: nothing else has two shapes.
    expect(codeOf(() => cache.stack("layers.0.mlp.*" as Site))).toBe("SHAPE_MISMATCH");
  });
});

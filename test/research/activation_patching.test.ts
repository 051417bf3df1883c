import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  activationPatching,
  attentionPatterns,
  edits,
  headPatching,
  type LanguageModel,
  loadModel,
  neuronPatching,
} from "../../src/index.js";
import { withHost } from "../display/host.js";
import { failureOf } from "../support/codes.js";
import { expectSameBits } from "../tensor/ops/on_device.js";
import { expectFigure } from "./figures.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});
const pair = {
  clean: "In a quiet forest, there lived a gentle boy named Tom. On the way home,",
  corrupted: "In a quiet forest, there lived a gentle boy named Ben. On the way home,",
  answer: "Tom",
  wrong: "Ben",
};

/** logit(Tom) − logit(Ben) after a prompt. */
async function difference(prompt: string): Promise<number> {
  const { data, shape } = await model.logits(prompt);
  const last = data.subarray((shape[0] - 1) * shape[1]);
  const id = (word: string) => model.tokenizer.encode(word, { bos: false })[0];
  return last[id("Tom")] - last[id("Ben")];
}

describe("activationPatching", () => {
  it("equals a patch by hand at every layer and position", async () => {
    const sweep = await activationPatching(model, pair);
    const ids = model.encodePrompt(pair.corrupted);
    const first = ids.findIndex((id, at) => id !== model.encodePrompt(pair.clean)[at]);
    expect(sweep.positions).toEqual(ids.map((_, at) => at).slice(first));
    expect(sweep.tokens[0]).toBe("Ben");
    expect(sweep.effect.shape).toEqual([model.config.numHiddenLayers, ids.length - first]);
    expect([sweep.clean, sweep.corrupted]).toEqual([
      await difference(pair.clean),
      await difference(pair.corrupted),
    ]);
    const { cache } = await model.runWithCache(pair.clean, { names: ["layers.*.out"] });
    for (const [at, score] of sweep.logitDifference.data.entries()) {
      const layer = Math.floor(at / sweep.positions.length);
      const position = sweep.positions[at % sweep.positions.length];
      using _patch = model.edit(`layers.${layer}.out`, edits.replace(cache.get(`layers.${layer}.out`)), {
        positions: [position],
      });
      const wanted = await difference(pair.corrupted);
      expect(score).toBe(Math.fround(wanted));
      const effect = (wanted - sweep.corrupted) / (sweep.clean - sweep.corrupted);
      expect(sweep.effect.data[at]).toBeCloseTo(effect, 5);
    }
  });

  it("the last value of the last layer brings back the clean answer, to the bit; other positions of it nothing", async () => {
    const { effect, logitDifference, clean } = await activationPatching(model, pair);
    const last = effect.data.subarray((model.config.numHiddenLayers - 1) * effect.shape[1]);
    expect(last.at(-1)).toBe(1);
    expect(logitDifference.data.at(-1)).toBe(Math.fround(clean));
    expect(last.slice(0, -1).every((value) => value === 0)).toBe(true);
  });

  it.each(["layers.*.out", "layers.*.attn.out", "layers.*.mlp.out"] as const)(
    "%s: a shared prefix gives the same bits with fewer tokens",
    async (site) => {
      const shared = await activationPatching(model, { ...pair, site });
      const plain = await activationPatching(model, { ...pair, site, reusePrefix: false });
      expectSameBits(shared.logitDifference.data, plain.logitDifference.data);
      expectSameBits(shared.effect.data, plain.effect.data);
      const { computed, withoutReuse } = shared.tokensRun;
      expect(plain.tokensRun).toEqual({ computed: withoutReuse, withoutReuse });
      expect(computed).toBeLessThan(withoutReuse * 0.4);
    },
  );

  it("works under edits and hooks that are in force", async () => {
    using _steer = model.edit("layers.0.out", edits.scale(0.9));
    const steered = await activationPatching(model, { ...pair, positions: [12, 17] });
    expect(steered.clean).toBe(await difference(pair.clean));
    const plain = await activationPatching(model, { ...pair, positions: [12, 17], reusePrefix: false });
    expectSameBits(steered.effect.data, plain.effect.data);
    using _hook = model.hook("layers.1.out", (x) => x.data.map((value) => value * 0.9));
    const hooked = await activationPatching(model, { ...pair, positions: [12, 17] });
    expect(hooked.clean).toBe(await difference(pair.clean));
  });

  it("leaves no edit, no page and no growing memory behind, also when it is interrupted", async () => {
    await withHost(async (sent, interrupt) => {
      const running = failureOf(activationPatching(model, { ...pair, reusePrefix: false }));
      await vi.waitUntil(() => sent.length > 0, { interval: 1, timeout: 30_000 }); // its progress is shown
      interrupt();
      expect(await running).toMatch(/^INTERRUPTED/);
      expect(sent.at(-1)?.bundle["text/plain"]).toContain("interrupted after");
    });
    expect(model.runtime.interventions.size).toBe(0);
    using whole = model.kv.createSequence();
    whole.extend(4 * model.maxLength);
  });

  it("has a figure, a table and a text", async () => {
    const sweep = await activationPatching(model, { ...pair, positions: [12, 13] });
    expectFigure(sweep.figure(), "Patching layers.*.out");
    expect(sweep.table().columns).toEqual(["layer", "position", "token", "effect", "logit difference"]);
    const shown = (sweep as unknown as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]();
    expect(shown["text/plain"]).toMatch(/fewer than without the shared prefix/);
  });

  it.each([
    [{ corrupted: "In a quiet forest" }, /^PATCHING_LENGTHS_DIFFER: .*got 19 .* and 5/],
    [{ corrupted: pair.clean }, /^PATCHING_NO_DIFFERENCE: .*same tokens/],
    [{ wrong: "Tom" }, /^PATCHING_NO_DIFFERENCE: .*\(0 and 0\)/],
    [{ site: "layers.*.mid" }, /^PATCHING_OPTIONS_INVALID: .*headPatching/],
    [{ positions: [] }, /^PATCHING_OPTIONS_INVALID/],
    [{ positions: [19] }, /^CACHE_OPTIONS_INVALID/],
    [{ answer: "" }, /^ANSWER_INVALID/],
  ])("refuses %j", async (change, message) => {
    expect(await failureOf(activationPatching(model, { ...pair, ...change } as never))).toMatch(message);
  });
});

describe("heads and neurons", () => {
  it("headPatching equals a patch by hand, and finds the head that copies the name", async () => {
    const sweep = await headPatching(model, pair);
    expect(sweep.effect.shape).toEqual([6, 4]);
    const { cache } = await model.runWithCache(pair.clean, { names: ["layers.*.attn.z"] });
    for (const [layer, head] of [
      [0, 1],
      [2, 3],
      [3, 0],
    ] as const) {
      using _patch = model.edit(
        `layers.${layer}.attn.z`,
        edits.replace(cache.get(`layers.${layer}.attn.z`)),
        {
          heads: [head],
          positions: sweep.positions,
        },
      );
      expect(sweep.logitDifference.data[layer * 4 + head]).toBe(
        Math.fround(await difference(pair.corrupted)),
      );
    }
    // The head that does most is one that looks at the name from the last token.
    const effects = [...sweep.effect.data];
    const most = effects.indexOf(Math.max(...effects));
    const others = effects.filter((_, i) => i !== most);
    expect(effects[most]).toBeGreaterThan(1.5 * Math.max(...others));
    const patterns = await attentionPatterns(model, pair.clean);
    const count = patterns.tokens.length;
    const last = [...patterns.pattern(Math.floor(most / 4), most % 4).slice((count - 1) * count)];
    expect(patterns.tokens[last.indexOf(Math.max(...last))].trim()).toBe("Tom");
    const plain = await headPatching(model, { ...pair, reusePrefix: false });
    expectSameBits(sweep.effect.data, plain.effect.data);
    expectFigure(sweep.figure(), "Patching layers.*.attn.z");
  });

  it("neuronPatching equals a patch by hand, and takes the neurons that differ most", async () => {
    const named = await neuronPatching(model, { ...pair, layer: 2, units: [3, 700] });
    expect(named.effect.shape).toEqual([1, 2]);
    const { cache } = await model.runWithCache(pair.clean, { names: ["layers.2.mlp.act"] });
    const other = (await model.runWithCache(pair.corrupted, { names: ["layers.2.mlp.act"] })).cache;
    const [a, b] = [cache, other].map((each) => each.get("layers.2.mlp.act").data);
    for (const [index, unit] of [3, 700].entries()) {
      using _patch = model.edit("layers.2.mlp.act", edits.replace(cache.get("layers.2.mlp.act")), {
        units: [unit],
        positions: named.positions,
      });
      expect(named.logitDifference.data[index]).toBe(Math.fround(await difference(pair.corrupted)));
    }
    const found = await neuronPatching(model, { ...pair, layer: 2, units: { top: 5 } });
    const change = (unit: number) => {
      let sum = 0;
      for (const position of found.positions)
        sum += Math.abs(a[position * 1024 + unit] - b[position * 1024 + unit]);
      return sum;
    };
    const order = Array.from({ length: 1024 }, (_, unit) => unit).sort((x, y) => change(y) - change(x));
    expect(found.columns.numbers).toEqual(order.slice(0, 5));
    expectFigure(found.figure(), "Patching layers.2.mlp.act");
    expect(await failureOf(neuronPatching(model, { ...pair, layer: 9 }))).toMatch(
      /^PATCHING_OPTIONS_INVALID/,
    );
    expect(await failureOf(neuronPatching(model, { ...pair, layer: 1, units: [] }))).toMatch(
      /^PATCHING_OPTIONS_INVALID/,
    );
  });
});

import { beforeAll, beforeEach, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import { MLP } from "../../../src/model/mlp.js";
import { edits } from "../../../src/research/edits.js";
import { allSites } from "../../../src/runtime/sites.js";
import { expectSameBits } from "../../tensor/ops/on_device.js";
import {
  differs,
  direction,
  expectAlike,
  expectSame,
  generated,
  type Made,
  onBothModels,
} from "./support.js";

onBothModels("recorded plans", ({ load, prompt }) => {
  let plain: Made;
  let model: LanguageModel;
  beforeAll(async () => {
    plain = await generated(await load(), prompt, 40);
  });
  beforeEach(async () => {
    model = await load();
  });
  const plans = () => model.runtime.plans;

  it("breaking everywhere, recording nothing and the plan give the same bits", async () => {
    expectSame(await generated(model, prompt, 40, { breakEverywhere: true }), plain);
    // One cut at each site but the patterns, which nobody looks at.
    const cuts = allSites(model.config).filter((site) => !site.endsWith(".pattern")).length;
    expect(model.plan().segments).toHaveLength(cuts + 1);
    expectSame(await generated(model, prompt, 40, { capture: false }), plain);
    expectSame(await generated(model, prompt, 40), plain);
    expect(model.plan().segments).toHaveLength(1);
  });

  it("so they do with an edit, a hook, a watch and a counter at work", async () => {
    const { hiddenSize } = model.config;
    model.edit("layers.0.out", edits.add(direction(hiddenSize), { scale: 0.5 }));
    model.edit("layers.1.attn.pattern", edits.scale(0.5, { heads: [1] }));
    model.edit("layers.*.mlp.act", edits.noise({ deviation: 0.1, seed: 3 }), { phase: "decode" });
    model.hook("layers.1.mlp.pre", (x) => {
      for (const i of x.data.keys()) x.data[i] *= 1.25;
    });
    model.watch("layers.*.attn.qRot", () => {});
    model.countFiring();
    const wanted = await generated(model, prompt, 40, { capture: false });
    expect(differs(wanted, plain)).toBe(true);
    expectSame(await generated(model, prompt, 40), wanted);
    expectSame(await generated(model, prompt, 40), wanted);
    expectSame(await generated(model, prompt, 40, { breakEverywhere: true }), wanted);
  });

  it("nothing that a plan frees is read again: its free memory is poisoned between the tokens", async () => {
    let poisoned = 0;
    // Watchers are called after the pass; a block that is free in between its segments may hold a value of the next one.
    model.hook("layers.1.mlp.act", () => {});
    model.edit("layers.0.attn.pattern", edits.scale(1, { heads: [1] }));
    model.runtime.checkFinite = true;
    model.watch("layers.*.attn.pattern", () => plans().latest?.native.poison(), { phase: "decode" });
    model.watch("layers.0.out", () => {
      plans().latest?.native.poison();
      poisoned++;
    });
    const made = await generated(model, prompt, 40);
    expectAlike(made, plain);
    expect(poisoned).toBe(40);
    expectSame(await generated(model, prompt, 40, { breakEverywhere: true }), made);
  });

  it("also with a module in plain TypeScript and a module that reads values", async () => {
    class Reading extends MLP {
      protected override forward(x: Parameters<MLP["call"]>[0]) {
        x.dataSync();
        return super.forward(x);
      }
    }
    const { mlp } = model.layers[0];
    model.layers[0].mlp = new Reading(mlp.denseHTo4h, mlp.dense4hToH);
    model.watch("layers.1.out", () => plans().latest?.native.poison());
    for (let i = 0; i < 2; i++) expectSame(await generated(model, prompt, 40), plain);
  });

  it("the logits of one pass stay when the next one runs", async () => {
    using sequence = await model.prefill(prompt);
    const pass = (step: number) =>
      model.runtime.forward([{ sequence, ids: [plain.ids[step - 1]], logits: "last" }], { step });
    using first = await pass(1);
    const wanted = await first.data();
    using second = await pass(2);
    expectSameBits(await first.data(), wanted);
    expect(await second.data()).not.toEqual(wanted);
  });

  it("what is disposed of leaves nothing behind: the plan of before is found again", async () => {
    await generated(model, prompt, 4);
    const before = plans().latest;
    expect(before).toBeDefined();
    const { mlp } = model.layers[1];
    for (let i = 0; i < 2; i++) {
      const { hiddenSize } = model.config;
      const all = [
        model.edit("layers.0.out", edits.add(direction(hiddenSize))),
        model.hook("layers.1.mid", () => new Float32Array(hiddenSize), { phase: "decode" }),
        model.watch("layers.1.out", () => {}),
        model.countFiring(),
      ];
      model.layers[1].mlp = new MLP(mlp.denseHTo4h, mlp.dense4hToH);
      expect(differs(await generated(model, prompt, 6), plain)).toBe(true);
      expect(plans().latest).not.toBe(before);
      for (const each of all) each.dispose();
      for (const each of all) each.dispose();
      model.layers[1].mlp = mlp;
      expectSame(await generated(model, prompt, 40), plain);
      expect(plans().latest).toBe(before);
      expect(plans().size).toBe(1);
      expect(model.runtime.interventions.size).toBe(0);
    }
  });

  it("a sweep over many edits does not push the plain plan out", async () => {
    await generated(model, prompt, 4);
    const before = plans().latest;
    for (let i = 0; i < 20; i++) {
      using _ = model.edit("layers.0.mlp.act", edits.zero({ units: [i] }));
      await generated(model, prompt, 4);
    }
    expectSame(await generated(model, prompt, 40), plain);
    expect(plans().latest).toBe(before);
  });

  it("a pattern is watched over more keys than one plan has", async () => {
    const shapes: (readonly number[])[] = [];
    model.watch("layers.0.attn.pattern", (x) => {
      shapes.push(x.shape);
      const [rows, heads, keys] = x.shape;
      expect(x.data).toHaveLength(rows * heads * keys);
      const sums = Array.from({ length: rows * heads }, (_, row) =>
        x.data.subarray(row * keys, (row + 1) * keys).reduce((sum, value) => sum + value, 0),
      );
      for (const sum of sums) expect(sum).toBeCloseTo(1, 4);
    });
    const long = Array.from({ length: 250 }, (_, i) => prompt[i % prompt.length]);
    const wanted = await generated(await load(), long, 20);
    for (let i = 0; i < 2; i++) {
      shapes.length = 0;
      expectAlike(await generated(model, long, 20), wanted);
      const { numAttentionHeads: heads } = model.config;
      expect(shapes).toEqual([
        [250, heads, 250],
        ...Array.from({ length: 19 }, (_, step) => [1, heads, 251 + step]),
      ]);
    }
    expect(plans().size).toBeLessThanOrEqual(4);
  });
});

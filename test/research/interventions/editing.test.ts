import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import type { EditFilter, EditSpec } from "../../../src/research/edits.js";
import { edits } from "../../../src/research/edits.js";
import { allSites, type Site, siteWidth } from "../../../src/runtime/sites.js";
import { testDevice } from "../../support/device.js";
import { expectSameBits } from "../../tensor/ops/on_device.js";
import {
  differs,
  direction,
  expectAlike,
  expectAlikeValues,
  expectSame,
  generated,
  type Made,
  onBothModels,
} from "./support.js";

/** Log-probability of each generated id under logits of the whole text, in float64. */
function logprobsOf(
  logits: Float32Array,
  vocabulary: number,
  from: number,
  ids: readonly number[],
): number[] {
  return ids.map((id, i) => {
    const row = logits.subarray((from + i) * vocabulary, (from + i + 1) * vocabulary);
    const largest = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const total = row.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    return row[id] - largest - Math.log(total);
  });
}

/** Every site of layer 1 and those outside of the layers. */
const kinds = [
  "embed.out",
  ...["in", "mid", "out", "mlp.in", "mlp.pre", "mlp.act", "mlp.out"].map((name) => `layers.1.${name}`),
  ...["q", "k", "v", "qRot", "kRot", "pattern", "z", "out"].map((name) => `layers.1.attn.${name}`),
  "finalNorm.out",
  "logits",
] as Site[];

/** Log-probabilities of the same logits, and on a GPU of logits that were computed in another order. */
const near = testDevice === "cpu" ? 1e-5 : 1e-3;

onBothModels("edits", ({ load, prompt }) => {
  let model: LanguageModel;
  let plain: Made;
  beforeAll(async () => {
    plain = await generated(await load(), prompt, 12);
  });
  beforeEach(async () => {
    model = await load();
  });

  it.each(kinds)(
    "at %s: tokens from the cache are those of one forward pass over the whole text",
    async (site) => {
      const width = siteWidth(model.config, site, 0);
      const isPattern = site.endsWith(".pattern");
      const specs: EditSpec[] = isPattern
        ? [
            edits.scale(0.5),
            edits.clamp({ max: 0.2 }),
            edits.set(0.1, { heads: [0, 2] }),
            edits.zero({ heads: [3] }),
          ]
        : [
            edits.add(direction(width, 0.3), { scale: 2 }),
            edits.scale(1.5, { positions: { from: 4 } }),
            edits.zero({ units: [0, 1, 5, 40] }),
            edits.clamp({ min: -0.5, max: 0.5 }),
            edits.noise({ deviation: 0.2, seed: 5 }),
            edits.project(direction(width)),
            edits.set(direction(width, 0.3), { positions: [3, prompt.length + 2] }),
          ];
      let largest = 0;
      for (const spec of specs) {
        using _ = model.edit(site, spec);
        const made = await generated(model, prompt, 12);
        if (spec.kind !== "clamp") expect(differs(made, plain), spec.kind).toBe(true);
        const whole = [...prompt, ...made.ids.slice(0, -1)];
        const { data, shape } = await model.logits(whole);
        const rows = shape[1] * (prompt.length - 1);
        const wanted = logprobsOf(data.subarray(rows), shape[1], 0, made.ids);
        for (const [i, value] of wanted.entries()) {
          expect(Math.abs(made.logprobs[i] - value), `${spec.kind}, token ${i}`).toBeLessThan(near);
          largest = Math.max(largest, Math.abs(made.logprobs[i] - value));
        }
        // The op that generate takes log-probabilities with, on these logits: equal to the bit.
        const scores = await model.logprobs([...prompt, ...made.ids]);
        expectAlikeValues(
          Float32Array.from(scores).slice(prompt.length - 1),
          Float32Array.from(made.logprobs),
        );
      }
      expectSame(await generated(model, prompt, 12), plain);
      expect(largest).toBeLessThan(near);
    },
  );

  it("filters change only what they name", async () => {
    const site = "layers.1.attn.z";
    const { headDim, numAttentionHeads: heads } = model.config;
    const width = heads * headDim;
    /** z before the edit and after it: of attention's output the layers before do not depend on. */
    const rows = async (filter: EditFilter | undefined) => {
      const found = new Map<number, Float32Array>();
      using _edit = filter && model.edit(site, edits.set(9, filter));
      using _watch = model.watch(site, (x, { positions }) => {
        for (const [row, position] of positions.entries()) found.set(position, x.row(row).slice());
      });
      // The tokens are given, so that what follows is the same text.
      using sequence = await model.prefill(prompt);
      for (const [step, id] of plain.ids.entries()) {
        (
          await model.runtime.forward([{ sequence, ids: [id], logits: "last" }], { step: step + 1 })
        ).release();
      }
      return found;
    };
    const before = await rows(undefined);
    expect(before.size).toBe(prompt.length + 12);
    const n = prompt.length;
    const cases: [EditFilter, (position: number, column: number) => boolean][] = [
      [{}, () => true],
      [{ phase: "prefill" }, (position) => position < n],
      [{ phase: "decode" }, (position) => position >= n],
      [{ positions: [2, n + 3] }, (position) => position === 2 || position === n + 3],
      [{ positions: { from: n - 1, to: n + 1 } }, (position) => position >= n - 1 && position < n + 1],
      [{ heads: [1, 3] }, (_, column) => [1, 3].includes(Math.floor(column / headDim))],
      [{ units: [0, 37] }, (_, column) => column === 0 || column === 37],
      [
        { heads: [2], positions: { from: 3 }, phase: "decode" },
        (position, column) => position >= n && Math.floor(column / headDim) === 2,
      ],
      [{ positions: [] }, () => false],
      [{ units: [] }, () => false],
    ];
    for (const [filter, touches] of cases) {
      const after = await rows(filter);
      for (const [position, values] of before) {
        const wanted = values.map((value, column) => (touches(position, column) ? 9 : value));
        expect(wanted).toHaveLength(width);
        expectSameBits(after.get(position) as Float32Array, wanted);
      }
    }
  });

  it("a patched activation goes to its own positions", async () => {
    const { cache } = await model.runWithCache([...prompt].reverse(), {
      names: ["layers.*.mid"],
      keep: [1, 4],
    });
    const before = (await model.runWithCache(prompt, { names: ["layers.0.mid"] })).cache.get("layers.0.mid");
    using _ = model.edit("layers.0.mid", edits.replace(cache));
    const after = (await model.runWithCache(prompt, { names: ["layers.0.mid"] })).cache.get("layers.0.mid");
    const { data } = cache.get("layers.0.mid");
    const wanted = before.data.slice();
    const { hiddenSize } = model.config;
    wanted.set(data.subarray(0, hiddenSize), hiddenSize);
    wanted.set(data.subarray(hiddenSize), 4 * hiddenSize);
    expectSameBits(after.data, wanted);
  });

  it("a strength that is changed in mid-generation counts from the next token on, from the same plan", async () => {
    const { hiddenSize } = model.config;
    const watched = async (change: number) => {
      const rows: Float32Array[] = [];
      const edit = model.edit("layers.0.out", edits.set(0));
      const watch = model.watch("layers.0.out", (x, { step }) => {
        rows.push(x.row(-1).slice());
        if (step === change) edit.scale = 8;
      });
      await generated(model, prompt, 10);
      edit.dispose();
      watch.dispose();
      return rows;
    };
    for (const change of [0, 1, 5]) {
      const rows = await watched(change);
      expect(rows.map(([first]) => first)).toEqual(rows.map((_, step) => (step > change ? 8 : 0)));
      expect(rows.every((row) => row.length === hiddenSize && row.every((value) => value === row[0]))).toBe(
        true,
      );
    }
    expect(model.runtime.plans.size).toBe(1);
    expectSame(await generated(model, prompt, 12), plain);
  });

  it("several edits at one site act one after the other", async () => {
    const seen: number[] = [];
    using _a = model.edit("layers.1.in", edits.set(2));
    using _b = model.edit("layers.*.in", edits.scale(3));
    using _c = model.edit("layers.1.in", edits.clamp({ max: 5 }));
    using _d = model.watch("layers.1.in", (x) => seen.push(x.data[0]));
    await generated(model, prompt, 3);
    expect(seen).toEqual([5, 5, 5]);
  });

  describe("batches", () => {
    it("of several prompts give what each gives alone, edits, hooks and watches at work", async () => {
      const { hiddenSize } = model.config;
      model.edit("layers.0.out", edits.add(direction(hiddenSize), { positions: { from: 3, to: 9 } }));
      model.edit("layers.1.attn.z", edits.scale(0.2, { heads: [2] }), { phase: "decode" });
      model.edit("layers.1.attn.pattern", edits.scale(0.5, { heads: [0] }));
      model.edit("layers.*.mlp.act", edits.noise({ deviation: 0.5, seed: 9 }));
      model.hook("layers.1.mid", (x, { positions }) => {
        for (const [row, position] of positions.entries()) x.row(row)[position] += 1;
      });
      const prompts = [prompt, prompt.slice(0, 3), prompt.slice(1), [prompt[2]]];
      const alone = [];
      for (const each of prompts) alone.push((await generated(model, each, 10)).ids);
      expect(alone[0]).not.toEqual(plain.ids.slice(0, 10));
      const shapes: (readonly number[])[] = [];
      model.watch("layers.1.out", (x, { batch }) => shapes.push([...x.shape, batch.length]), {
        phase: "decode",
      });
      for (let i = 0; i < 2; i++) {
        const batch = await model.generateBatch(prompts, { maxNewTokens: 10, stopAtEos: false });
        expect(batch.map(({ ids }) => ids)).toEqual(alone);
      }
      expect(shapes).toEqual(Array(18).fill([4, hiddenSize, 4]));
    });
  });

  it("all sites may be edited at once", async () => {
    for (const site of allSites(model.config)) model.edit(site, edits.scale(1));
    // Attention then goes step by step.
    expectAlike(await generated(model, prompt, 12), plain);
    expectAlike(await generated(model, prompt, 12), plain);
    expect(model.plan().breaks).toEqual([]);
  });

  it("counters count what a watch sees above 0", async () => {
    const { intermediateSize, numHiddenLayers } = model.config;
    using counter = model.countFiring();
    const wanted = new Uint32Array(numHiddenLayers * intermediateSize);
    using _ = model.watch("layers.*.mlp.act", (x, { layer }) => {
      for (const [i, value] of x.data.entries()) {
        if (value > 0) wanted[(layer as number) * intermediateSize + (i % intermediateSize)]++;
      }
    });
    await generated(model, prompt, 12);
    await generated(model, prompt, 5, { capture: false });
    const { counts, tokens } = await counter.read();
    expect(tokens).toBe(2 * prompt.length + 11 + 4);
    expect(counts).toEqual(wanted);
  });
});

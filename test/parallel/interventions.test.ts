import { beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { edits } from "../../src/research/edits.js";
import { allSites, type Site } from "../../src/runtime/sites.js";
import { failureOf } from "../support/codes.js";
import { expectNear } from "../support/fixtures.js";
import { RandomValues } from "../support/random_values.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const prompt = [1, 270, 300, 5, 9, 11, 280];
const maxNewTokens = 8;
let one: LanguageModel;
let split: LanguageModel[];

beforeAll(async () => {
  const directory = await tinyCheckpoint({ num_attention_heads: 4 });
  one = await loadModel(directory);
  split = await Promise.all([2, 4].map((tensorParallel) => loadModel(directory, { tensorParallel })));
});

/** Greedy ids and their log-probabilities, under what `using` sets on the model. */
async function generated(
  model: LanguageModel,
  set: (model: LanguageModel) => Disposable,
  options: object = {},
) {
  using _ = set(model);
  const stream = model.generate(prompt, { maxNewTokens, stopAtEos: false, logprobs: true, ...options });
  const logprobs: number[] = [];
  for await (const token of stream) logprobs.push(token.logprob!);
  return { ids: (await stream.done).ids, logprobs };
}

/** An intervention does on split models what it does on a whole one, in plans and without. */
async function expectSame(set: (model: LanguageModel) => Disposable) {
  const wanted = await generated(one, set);
  const untouched = await generated(one, () => ({ [Symbol.dispose]() {} }));
  expect(wanted.logprobs).not.toEqual(untouched.logprobs);
  for (const model of split) {
    const planned = await generated(model, set);
    expect(planned.ids).toEqual(wanted.ids);
    expectNear("log-probabilities", planned.logprobs, wanted.logprobs, 5e-4);
    expect(await generated(model, set, { capture: false })).toEqual(planned);
  }
}

describe("values at sites", () => {
  it("are whole in runWithCache, at every site", async () => {
    const names = allSites(one.config);
    const wanted = (await one.runWithCache(prompt, { names, keep: "all" })).cache;
    for (const model of split) {
      const { cache } = await model.runWithCache(prompt, { names, keep: "all" });
      for (const site of names) {
        const [found, expected] = [cache.get(site), wanted.get(site)];
        expect(found.shape, site).toEqual(expected.shape);
        expectNear(site, found.data, expected.data, 1e-4);
      }
    }
  });

  it("are whole for watches inside of plans, which stay in one segment", async () => {
    const sites: Site[] = ["layers.1.mlp.act", "layers.0.attn.kRot", "layers.1.attn.pattern", "layers.0.out"];
    const seen = async (model: LanguageModel) => {
      const values: { site: string; shape: readonly number[]; data: Float32Array }[] = [];
      const handles = sites.map((site) =>
        model.watch(site, ({ data, shape }) => values.push({ site, shape, data }), { phase: "decode" }),
      );
      await model.generate(prompt, { maxNewTokens, stopAtEos: false }).done;
      for (const handle of handles) handle.dispose();
      return values;
    };
    const wanted = await seen(one);
    expect(wanted.length).toBe(sites.length * (maxNewTokens - 1));
    for (const model of split) {
      const found = await seen(model);
      expect(model.plan().describe()).toMatch(/1 segment, 0 breaks/);
      expect(found.map(({ site, shape }) => [site, shape])).toEqual(
        wanted.map(({ site, shape }) => [site, shape]),
      );
      for (const [i, { site, data }] of found.entries()) expectNear(site, data, wanted[i].data, 1e-4);
    }
  });

  it("are counted once for each token", async () => {
    const counts = async (model: LanguageModel) => {
      using counter = model.countFiring();
      await model.generate(prompt, { maxNewTokens, stopAtEos: false }).done;
      const { tokens, counts: all } = await counter.read();
      return { tokens, all };
    };
    const wanted = await counts(one);
    for (const model of split) expect(await counts(model)).toEqual(wanted);
  });
});

describe("edits", () => {
  const direction = (width: number) => new RandomValues(3).normal(width);
  it.each<[Site, ReturnType<typeof edits.zero>]>([
    ["embed.out", edits.scale(1.5)],
    ["layers.0.out", edits.add(direction(32), { scale: 3 })],
    ["layers.1.mid", edits.project(direction(32))],
    ["layers.0.attn.out", edits.zero()],
    ["layers.*.mlp.in", edits.clamp({ min: -0.5, max: 0.5 })],
    ["layers.1.mlp.out", edits.noise({ deviation: 0.5, seed: 4 })],
    ["finalNorm.out", edits.scale(0.5)],
    ["logits", edits.set(9, { units: [7] })],
    ["layers.0.mlp.act", edits.zero({ units: [0, 17, 40, 63] })],
    ["layers.1.mlp.pre", edits.add(direction(64), { scale: 2 })],
    ["layers.0.attn.q", edits.scale(2, { heads: [1, 2] })],
    ["layers.0.attn.k", edits.scale(0.5)],
    ["layers.*.attn.v", edits.zero({ heads: [3] })],
    ["layers.1.attn.qRot", edits.add(direction(32))],
    ["layers.0.attn.kRot", edits.zero({ positions: [0, 2] })],
    ["layers.0.attn.pattern", edits.zero({ heads: [0, 3] })],
    ["layers.1.attn.z", edits.zero({ heads: [2] })],
  ])("at %s", (site, spec) => expectSame((model) => model.edit(site, spec)));

  it("change their strength between two tokens of one plan", async () => {
    const logits = async (model: LanguageModel) => {
      using edit = model.edit("layers.1.mlp.act", edits.scale(1));
      using sequence = model.kv.createSequence();
      const steps: Float32Array[] = [];
      for (let step = 0; step < 6; step++) {
        edit.scale = step % 2 === 0 ? 1 : 4;
        const ids = step === 0 ? prompt : [20 + step];
        using tensor = await model.runtime.forward([{ sequence, ids, logits: "last" }], { step });
        steps.push(await tensor.data());
      }
      return steps;
    };
    const wanted = await logits(one);
    for (const model of split) {
      for (const [step, found] of (await logits(model)).entries()) {
        expectNear(`step ${step}`, found, wanted[step], 5e-4);
      }
    }
  });
});

describe("hooks", () => {
  it.each<Site>(["layers.0.out", "layers.1.mlp.act", "layers.0.attn.z", "layers.1.attn.v", "logits"])(
    "at %s",
    (site) =>
      expectSame((model) =>
        model.hook(site, (x, at) => {
          for (let i = 0; i < x.data.length; i++) x.data[i] = x.data[i] * 1.25 + (at.step % 3) * 0.1;
        }),
      ),
  );

  it("that throw fail the pass, in prompts and in plans, and the next pass is whole", async () => {
    const plain = () => ({ [Symbol.dispose]() {} });
    for (const model of split) {
      const wanted = await generated(model, plain);
      for (const failing of [0, 1, 3]) {
        const set = () =>
          model.hook("layers.1.mlp.in", (_, { step }) => {
            if (step === failing) throw new Error("on purpose");
          });
        expect(await failureOf(generated(model, set))).toBe(
          "HOOK_FAILED: the hook at layers.1.mlp.in threw: on purpose",
        );
        expect(await generated(model, plain)).toEqual(wanted);
      }
    }
  });
});

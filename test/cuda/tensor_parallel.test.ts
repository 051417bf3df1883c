import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { type LoadOptions, loadModel } from "../../src/load_model.js";
import { native } from "../../src/native.js";
import { edits } from "../../src/research/edits.js";
import { allSites } from "../../src/runtime/sites.js";
import { Device } from "../../src/tensor/device.js";
import { failureOf } from "../support/codes.js";
import { fakeNccl, fakeNcclSettings } from "../support/fake_nccl.js";
import { expectNear } from "../support/fixtures.js";
import { isGpuReal, onGpu } from "../support/other_addon.js";
import { RandomValues } from "../support/random_values.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const prompt = [1, 270, 300, 5, 9, 11, 280];
/** More rows than the kernels of few rows take. */
const longPrompt = Array.from({ length: 20 }, (_, i) => 3 + 7 * i);
const maxNewTokens = 8;
const heads = { num_attention_heads: 4 };

onGpu("a model that is split over GPUs", () => {
  if (!isGpuReal) fakeNccl(4);
  const counts = [1, 2, 4].filter((count) => !isGpuReal || count <= native().gpuCount());
  const several = counts.filter((count) => count > 1);
  let directory: string;
  let cpu: LanguageModel;
  let split: LanguageModel[];
  const load = (tensorParallel: number, options: LoadOptions = {}, from = directory) =>
    loadModel(from, { device: "cuda", tensorParallel, ...options });
  beforeAll(async () => {
    directory = await tinyCheckpoint(heads);
    cpu = await loadModel(directory);
    split = await Promise.all(several.map((count) => load(count)));
  });
  afterEach(() => fakeNcclSettings({}));

  async function generated(model: LanguageModel, options: object = {}) {
    const stream = model.generate(prompt, { maxNewTokens, stopAtEos: false, logprobs: true, ...options });
    const logprobs: number[] = [];
    for await (const token of stream) logprobs.push(token.logprob!);
    return { ids: (await stream.done).ids, logprobs };
  }

  it.each(counts)("has the CPU's logits and text on %i, with the same bits each time", async (count) => {
    const [model, again] = [await load(count), await load(count)];
    const { data } = await model.logits(prompt);
    expectNear("logits", data, (await cpu.logits(prompt)).data, 5e-4);
    expect((await again.logits(prompt)).data).toEqual(data);
    const wanted = await generated(cpu);
    const found = await generated(model);
    expect(found.ids).toEqual(wanted.ids);
    expectNear("log-probabilities", found.logprobs, wanted.logprobs, 5e-4);
    expect(await generated(again)).toEqual(found);
  });

  it.each<[string, LoadOptions, Record<string, unknown>]>([
    ["bfloat16", { dtype: "bfloat16" }, {}],
    ["int8 and int8 keys", { dtype: "int8", kvDtype: "int8" }, {}],
    ["int4", { dtype: "int4" }, { hidden_size: 128, intermediate_size: 256 }],
    ["a vocabulary that is no multiple", {}, { vocab_size: 313 }],
    ["weights as they are stored", { skipZeros: false }, {}],
  ])("has what one GPU has: %s", async (_, options, changes) => {
    const from = await tinyCheckpoint({ ...heads, ...changes });
    const one = await loadModel(from, { device: "cuda", ...options });
    const wanted = await one.logits(prompt);
    const ofLong = await one.logits(longPrompt);
    for (const count of several) {
      const model = await load(count, options, from);
      expectNear("logits", (await model.logits(prompt)).data, wanted.data, 5e-4);
      expectNear("logits of a longer prompt", (await model.logits(longPrompt)).data, ofLong.data, 5e-4);
      expect((await generated(model)).ids).toEqual((await generated(one)).ids);
    }
  });

  it("holds a part of the weights on each", () => {
    for (const [index, count] of several.entries()) {
      const { mlp } = split[index].layers[0];
      expect(mlp.denseHTo4h.weight.device).toBe(Device.cuda(0));
      expect(mlp.denseHTo4h.weight.shape).toEqual([
        cpu.config.intermediateSize / count,
        cpu.config.hiddenSize,
      ]);
      expect(split[index].weightBytes).toBeLessThan(1.1 * cpu.weightBytes);
    }
  });

  it.skipIf(isGpuReal)("decodes by one graph on each, which has the collectives in it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "persimmon-"));
    const model = await load(2);
    const devices = [Device.cuda(0), Device.cuda(1)];
    const before = devices.map((device) => device.graphs());
    fakeNcclSettings({ log: join(folder, "calls") });
    await generated(model);
    const lines = readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
    rmSync(folder, { recursive: true });
    // The embedding, two sums a layer, and the logits; where tokens are chosen in the plan, these.
    const ofPrompt = 1 + 2 * model.config.numHiddenLayers + 1;
    const ofToken = ofPrompt + 1;
    for (const rank of [0, 1]) {
      const own = lines.filter((line) => line.startsWith(`${rank} `));
      expect(own.filter((line) => line.endsWith(" captured")).length).toBe(ofToken);
      // The prompt, and the first token, which is recorded.
      expect(own.filter((line) => line.endsWith(" at once")).length).toBe(ofPrompt + ofToken);
      const { captured, launched } = devices[rank].graphs();
      expect(captured - before[rank].captured).toBe(1);
      expect(launched - before[rank].launched).toBe(maxNewTokens - 2);
    }
  });

  it("has the same bits without graphs, and with a cut at every site", async () => {
    for (const model of split) {
      const planned = await generated(model);
      expect(await generated(model, { capture: false })).toEqual(planned);
      expect(await generated(model, { breakEverywhere: true })).toEqual(planned);
      expect(await generated(model)).toEqual(planned);
    }
  });

  it("hands out every site as the CPU does", async () => {
    const names = allSites(cpu.config);
    const wanted = (await cpu.runWithCache(prompt, { names, keep: "all" })).cache;
    for (const model of split) {
      const { cache } = await model.runWithCache(prompt, { names, keep: "all" });
      for (const site of names) expectNear(site, cache.get(site).data, wanted.get(site).data, 1e-3);
    }
  });

  describe("under interventions", () => {
    const direction = (width: number) => new RandomValues(3).normal(width);
    it.each<[string, (model: LanguageModel) => Disposable]>([
      [
        "an edit of whole values",
        (model) => model.edit("layers.0.out", edits.add(direction(32), { scale: 3 })),
      ],
      ["an edit of neurons", (model) => model.edit("layers.0.mlp.act", edits.zero({ units: [0, 17, 63] }))],
      ["an edit of a head", (model) => model.edit("layers.1.attn.z", edits.zero({ heads: [2] }))],
      ["a hook at neurons", (model) => model.hook("layers.1.mlp.act", (x) => scaled(x.data))],
      ["two hooks and an edit", (model) => twoHooks(model)],
    ])("does what the CPU does: %s", async (_, set) => {
      const plain = await generated(cpu);
      const wanted = await using(cpu, set);
      expect(wanted.logprobs).not.toEqual(plain.logprobs);
      for (const model of split) {
        const planned = await using(model, set);
        expect(planned.ids).toEqual(wanted.ids);
        expectNear("log-probabilities", planned.logprobs, wanted.logprobs, 5e-4);
        expect(await using(model, set, { capture: false })).toEqual(planned);
      }
    });

    function scaled(x: Float32Array): void {
      for (let i = 0; i < x.length; i++) x[i] *= 1.25;
    }

    function twoHooks(model: LanguageModel): Disposable {
      const all = [
        model.hook("layers.0.attn.z", (x) => scaled(x.data)),
        model.edit("layers.0.attn.z", edits.scale(0.5)),
        model.hook("layers.0.attn.z", (x) => scaled(x.data)),
      ];
      return {
        [Symbol.dispose]() {
          for (const each of all) each.dispose();
        },
      };
    }

    async function using(
      model: LanguageModel,
      set: (model: LanguageModel) => Disposable,
      options: object = {},
    ) {
      using _ = set(model);
      return await generated(model, options);
    }

    it("watches and counts what the CPU does", async () => {
      const seen = async (model: LanguageModel) => {
        using counter = model.countFiring();
        const values: Float32Array[] = [];
        const watch = model.watch("layers.1.mlp.act", ({ data }) => values.push(data), { phase: "decode" });
        await generated(model);
        watch.dispose();
        return { values, counts: (await counter.read()).counts };
      };
      const wanted = await seen(cpu);
      for (const model of split) {
        const found = await seen(model);
        expect(found.counts).toEqual(wanted.counts);
        for (const [i, values] of found.values.entries()) expectNear("act", values, wanted.values[i], 1e-3);
      }
    });
  });

  it("runs batches, forks of a sequence and models of other splits beside", async () => {
    const prompts = [prompt, [5, 6], prompt.slice(0, 4)];
    const batch = async (model: LanguageModel) =>
      (await model.generateBatch(prompts, { maxNewTokens, stopAtEos: false })).map(({ ids }) => ids);
    const wanted = await batch(cpu);
    for (const ids of await Promise.all(split.map(batch))) expect(ids).toEqual(wanted);
    const forked = async (model: LanguageModel) => {
      using sequence = await model.prefill(prompt);
      using fork = sequence.fork();
      const texts = [];
      for (const kv of [sequence, fork]) {
        const options = { kv, maxNewTokens: 6, stopAtEos: false, bos: false };
        texts.push((await model.generate([texts.length + 7], options).done).ids);
      }
      return texts;
    };
    for (const model of split.slice(0, 1)) expect(await forked(model)).toEqual(await forked(cpu));
  });

  it("is whole again after a pass that was interrupted", async () => {
    const long = Array.from({ length: 100 }, (_, index) => 5 + (index % 290));
    for (const model of split) {
      const wanted = await model.logits(prompt);
      for (const delay of [0, 20]) {
        const ending = new AbortController();
        const run = failureOf(model.prefill(long, { signal: ending.signal }));
        setTimeout(() => ending.abort(), delay);
        expect(await run).toMatch(/^INTERRUPTED/);
        expect(await model.logits(prompt)).toEqual(wanted);
      }
      const ending = new AbortController();
      const stream = model.generate(prompt, { maxNewTokens: 100, stopAtEos: false, signal: ending.signal });
      let tokens = 0;
      for await (const _ of stream) if (++tokens === 4) ending.abort();
      expect((await stream.done).finish).toBe("interrupted");
      expect(await model.logits(prompt)).toEqual(wanted);
    }
  });

  it("is whole again after a hook that threw, while it is recorded and in a replay", async () => {
    for (const model of split.slice(0, 1)) {
      const wanted = await generated(model);
      for (const failing of [0, 1, 2, 4]) {
        const hook = model.hook("layers.1.mlp.in", (_, { step }) => {
          if (step === failing) throw new Error("on purpose");
        });
        expect(await failureOf(generated(model))).toBe(
          "HOOK_FAILED: the hook at layers.1.mlp.in threw: on purpose",
        );
        // With the hook still there, whose plan only some ranks may have recorded.
        expect(await failureOf(generated(model))).toMatch(/^HOOK_FAILED/);
        hook.dispose();
        expect(await generated(model)).toEqual(wanted);
      }
    }
  });

  describe.skipIf(isGpuReal)("that fails", () => {
    const failed = /^OP_FAILED: .*NCCL: an all-reduce failed on rank 1 \(unhandled cuda error\)/;

    it("says so on all ranks, and works when it is loaded anew", async () => {
      const [model, whole] = await Promise.all([load(2), loadModel(directory, { device: "cuda" })]);
      const wanted = await model.logits(prompt);
      const other = await whole.logits(prompt);
      fakeNcclSettings({ refuse: "1" });
      expect(await failureOf(model.logits(prompt))).toMatch(failed);
      fakeNcclSettings({});
      // A model on the same GPU finds nothing of it.
      expect(await whole.logits(prompt)).toEqual(other);
      expect(await failureOf(model.logits(prompt))).toMatch(failed);
      expect(await failureOf(model.generate(prompt, { maxNewTokens }).done)).toMatch(
        /The model must be loaded anew$/,
      );
      expect(await (await load(2)).logits(prompt)).toEqual(wanted);
    });

    it.each([
      ["with an error", "1", "remote process exited"],
      ["in silence", "0 silent", "has waited for others longer than PERSIMMON_NCCL_TIMEOUT says"],
    ])("in the middle of a text, %s, keeps nobody waiting", async (_, stall, why) => {
      const before = await load(2);
      fakeNcclSettings({ refuse: "0" });
      await failureOf(before.logits(prompt));
      fakeNcclSettings({});
      // The GPUs are connected anew, with this limit.
      process.env.PERSIMMON_NCCL_TIMEOUT = "0.5";
      const model = await load(2);
      delete process.env.PERSIMMON_NCCL_TIMEOUT;
      const wanted = await generated(model);
      const stream = model.generate(prompt, { maxNewTokens: 100, stopAtEos: false });
      let tokens = 0;
      const run = async () => {
        for await (const _ of stream) if (++tokens === 5) fakeNcclSettings({ stall });
      };
      await failureOf(run());
      // A pass or two may have been done by then.
      expect(tokens).toBeLessThan(10);
      fakeNcclSettings({});
      expect(await failureOf(model.logits(prompt))).toContain(why);
      const anew = await load(2);
      expect(await generated(anew)).toEqual(wanted);
    });
  });
});

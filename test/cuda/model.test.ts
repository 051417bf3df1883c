import { afterAll, beforeAll, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { type LoadOptions, loadModel } from "../../src/load_model.js";
import { HostModule } from "../../src/nn/host.js";
import { randomModel } from "../../src/random_model.js";
import { edits } from "../../src/research/edits.js";
import { allSites } from "../../src/runtime/sites.js";
import { Device } from "../../src/tensor/device.js";
import { withExactProducts } from "../support/exact_products.js";
import { expectNear } from "../support/fixtures.js";
import { onGpu } from "../support/other_addon.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const ids = [1, 270, 300, 5, 9, 11, 280];
/** Of a vocabulary of 64. */
const lowIds = [1, 60, 33, 5, 9, 11, 63];

onGpu("a model on a GPU", () => {
  let directory: string;
  let model: LanguageModel;
  let cpu: LanguageModel;
  const load = (options: LoadOptions = {}) => loadModel(directory, { device: "cuda", ...options });
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  beforeAll(async () => {
    process.on("warning", listen);
    directory = await tinyCheckpoint();
    model = await load();
    cpu = await loadModel(directory);
  });
  afterAll(() => process.off("warning", listen));

  it("says once that no kernel has run on a GPU", async () => {
    await load();
    await new Promise((resolve) => setImmediate(resolve));
    const ours = warnings.filter(({ name }) => name === "PersimmonCudaWarning");
    expect(ours.map(({ message }) => message)).toEqual([
      expect.stringContaining("have run on an emulated GPU only"),
    ]);
  });

  const greedy = async (of: LanguageModel, maxNewTokens = 12) =>
    (await of.generate(ids, { maxNewTokens, stopAtEos: false }).done).ids;

  it.each(["bfloat16", "int8", "int4"] as const)(
    "takes activations beside %s weights as bfloat16, where it is asked to and for prompts",
    async (dtype) => {
      const [highest, medium] = [await load({ dtype }), await load({ dtype, matmulPrecision: "medium" })];
      expect(medium.device).toBe(Device.cuda(0, "medium"));
      const prompt = Array.from({ length: 20 }, (_, i) => 3 + 7 * i);
      const [exact, rounded] = [(await highest.logits(prompt)).data, (await medium.logits(prompt)).data];
      expect(rounded).not.toEqual(exact);
      // 8 bits of each activation.
      const largest = Math.max(...exact.map(Math.abs));
      expectNear("logits", rounded, exact, largest * 2 ** -6);
      // Products of up to eight rows wait for the weights, and keep all digits.
      expect((await medium.logits(ids)).data).toEqual((await highest.logits(ids)).data);
    },
  );

  it.each(["float32", "bfloat16", "int8", "int4"] as const)(
    "has the logits of the CPU in %s",
    async (dtype) => {
      const [there, here] = [await load({ dtype }), await loadModel(directory, { dtype })];
      withExactProducts(here);
      expectNear("logits", (await there.logits(ids)).data, (await here.logits(ids)).data, 5e-4);
    },
  );

  it.each(["bfloat16", "int8"] as const)("keeps keys and values in %s", async (kvDtype) => {
    const [there, here] = [await load({ kvDtype }), await loadModel(directory, { kvDtype })];
    expectNear("logits", (await there.logits(ids)).data, (await here.logits(ids)).data, 2e-2);
  });

  it("generates the CPU's text, one graph a token", async () => {
    const expected = await greedy(cpu);
    const before = model.device.graphs();
    expect(await greedy(model)).toEqual(expected);
    const after = model.device.graphs();
    expect(after.captured - before.captured).toBe(1);
    // 12 tokens: the first comes from the prompt's logits, the second records the plan, the others launch it.
    expect(after.launched - before.launched).toBe(10);
  });

  it("decodes to the same bits with and without graphs, and with a break at every site", async () => {
    const logprobs = async (options: object) => {
      const found: number[] = [];
      for await (const token of model.generate(ids, { maxNewTokens: 8, logprobs: true, ...options }))
        found.push(token.logprob!);
      return found;
    };
    const replayed = await logprobs({});
    expect(await logprobs({ capture: false })).toEqual(replayed);
    expect(await logprobs({ breakEverywhere: true })).toEqual(replayed);
  });

  it("does not read memory that a replay has not written", async () => {
    const expected = await greedy(model);
    let poisoned = 0;
    const watch = model.watch("finalNorm.out", () => {
      model.runtime.plans.latest?.native.poison();
      poisoned++;
    });
    expect(await greedy(model)).toEqual(expected);
    expect(poisoned).toBeGreaterThan(10);
    watch.dispose();
  });

  it("keeps the graph under edits, whose strength may change, and watches", async () => {
    const direction = Float32Array.from({ length: model.config.hiddenSize }, (_, i) => Math.sin(i));
    const both = [model, cpu].map((each) => each.edit("layers.0.out", edits.add(direction, { scale: 2 })));
    const seen: number[] = [];
    const watch = model.watch("layers.1.mlp.act", (value) => seen.push(value.data.length));
    const before = model.device.graphs();
    expect(await greedy(model, 6)).toEqual(await greedy(cpu, 6));
    for (const steer of both) steer.scale = -3;
    expect(await greedy(model, 6)).toEqual(await greedy(cpu, 6));
    expect(model.device.graphs().captured - before.captured).toBe(1);
    expect(seen.length).toBeGreaterThan(8);
    watch.dispose();
    for (const steer of both) steer.dispose();
  });

  it("breaks the graph for a hook, which sees every token once", async () => {
    const steps: number[] = [];
    const hook = model.hook("layers.1.mlp.act", (x, at) => {
      steps.push(at.step);
      x.data[0] = 0;
    });
    const onCpu = cpu.hook("layers.1.mlp.act", (x) => {
      x.data[0] = 0;
    });
    expect(await greedy(model, 5)).toEqual(await greedy(cpu, 5));
    expect(steps).toEqual([0, 1, 2, 3, 4]);
    hook.dispose();
    onCpu.dispose();
  });

  it("runs a module in JavaScript in the middle of the pass", async () => {
    class Doubled extends HostModule {
      run(x: Float32Array, out: Float32Array) {
        for (let i = 0; i < x.length; i++) out[i] = 2 * x[i];
      }
    }
    const each = await Promise.all([load(), loadModel(directory)]);
    for (const { layers } of each) layers[1].mlp = new Doubled();
    const [there, here] = await Promise.all(each.map((of) => greedy(of, 6)));
    expect(there).toEqual(here);
  });

  it("hands out every site as the CPU does", async () => {
    const names = allSites(model.config);
    const [there, here] = await Promise.all(
      [model, cpu].map((of) => of.runWithCache(ids, { names, keep: "all" })),
    );
    for (const name of names) {
      expectNear(name, there.cache.get(name).data, here.cache.get(name).data, 1e-3);
    }
  });

  it("counts live neurons as the CPU does", async () => {
    const counters = [model, cpu].map((of) => of.countFiring("layers.*.mlp.act"));
    await Promise.all([greedy(model), greedy(cpu)]);
    const [there, here] = await Promise.all(counters.map((counter) => counter.read()));
    expect(there.counts).toEqual(here.counts);
    for (const counter of counters) counter.dispose();
  });

  it("samples what the CPU samples", async () => {
    const options = { maxNewTokens: 12, temperature: 0.8, topK: 20, topP: 0.9, seed: 5 };
    const [there, here] = await Promise.all([model, cpu].map((of) => of.generate(ids, options).done));
    expect(there.ids).toEqual(here.ids);
  });

  it.each(["bfloat16", "int8", "int4"] as const)("makes the CPU's random weights in %s", async (dtype) => {
    const shape = { hidden: 128, layers: 2, heads: 2, ffn: 256, vocab: 64 };
    const [there, here] = (["cuda", "cpu"] as const).map((device) =>
      randomModel(shape, { device, dtype, maxLength: 64, kvContexts: 1, zeros: 0.9 }),
    );
    expect(there.device.kind).toBe("cuda");
    expect(there.kv.pageCount).toBe(2);
    for (const [layer, { mlp, selfAttn }] of there.layers.entries()) {
      const other = here.layers[layer];
      expect(await mlp.dense4hToH.weight.data()).toEqual(await other.mlp.dense4hToH.weight.data());
      expect(await selfAttn.dense.weight.data()).toEqual(await other.selfAttn.dense.weight.data());
    }
    withExactProducts(here);
    expectNear("logits", (await there.logits(lowIds)).data, (await here.logits(lowIds)).data, 5e-4);
  });
});

import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { randomModel } from "../../src/random_model.js";
import { edits } from "../../src/research/edits.js";
import type { Site } from "../../src/runtime/sites.js";
import { Device } from "../../src/tensor/device.js";
import { onGpu } from "../support/other_addon.js";
import { tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";

const ids = [1, 270, 300, 5, 9, 11, 280];
const layerCount = tinyConfig.num_hidden_layers;
const perLayer = [
  "layerNorm + linear",
  "linear + add",
  "layerNorm + linear + reluSquared",
  "linearByInput + add",
];
const head = "layerNorm + linear";
/** The groups of a decode, of which those of the first layer may differ. */
const groups = (first = perLayer) => [
  [...first, ...Array.from({ length: layerCount - 1 }, () => perLayer).flat(), head],
];

onGpu("neighbouring ops in one kernel", () => {
  let directory: string;
  let model: LanguageModel;
  beforeAll(async () => {
    directory = await tinyCheckpoint();
    model = await loadModel(directory, { device: "cuda", dtype: "bfloat16" });
  });
  afterEach(() => {
    Device.cuda().joinsOps = true;
  });

  async function logprobs(of: LanguageModel, options: object = {}): Promise<number[]> {
    const found: number[] = [];
    const settings = { maxNewTokens: 6, stopAtEos: false, logprobs: true, ...options };
    for await (const token of of.generate(ids, settings)) found.push(token.logprob!);
    return found;
  }

  /** What a run gives with the ops one by one and joined. */
  async function bothWays<T>(run: () => Promise<T>): Promise<{ apart: T; joined: T }> {
    const { device } = model;
    device.joinsOps = false;
    const apart = await run();
    expect(model.plan().joined.flat()).toEqual([]);
    device.joinsOps = true;
    return { apart, joined: await run() };
  }

  /** Kernels and copies in the graph of a token. */
  async function nodesPerToken(of: LanguageModel): Promise<number> {
    await logprobs(of, { logprobs: false });
    const before = of.device.graphs();
    await logprobs(of, { logprobs: false });
    const after = of.device.graphs();
    return (after.nodes - before.nodes) / (after.launched - before.launched);
  }

  describe.each(["float32", "bfloat16", "int8", "int4"] as const)("with %s weights", (dtype) => {
    let own: LanguageModel;
    beforeAll(async () => {
      own = await loadModel(directory, { device: "cuda", dtype });
    });

    it("take so many kernels less a token", async () => {
      const { device } = own;
      device.joinsOps = false;
      const apart = await nodesPerToken(own);
      expect(own.plan().joined).toEqual([[]]);
      device.joinsOps = true;
      const joined = await nodesPerToken(own);
      // A layerNorm is joined with weights of two bytes and less.
      const saved = dtype === "float32" ? 3 * layerCount : 5 * layerCount + 1;
      expect(apart - joined).toBe(saved);
    });

    it("give the same bits, one token and two at a time", async () => {
      const prompts = [ids, [5, 9]];
      const run = async () => {
        const batch = await own.generateBatch(prompts, { maxNewTokens: 5, stopAtEos: false });
        return { one: await logprobs(own), batch: batch.map((text) => text.ids) };
      };
      own.device.joinsOps = false;
      const apart = await run();
      own.device.joinsOps = true;
      expect(await run()).toEqual(apart);
      expect(await logprobs(own, { capture: false })).toEqual(apart.one);
    });
  });

  it("are named by the plan", async () => {
    await logprobs(model);
    const { joined } = model.plan();
    expect(joined).toEqual(groups());
    expect(model.plan().describe().split("\n").slice(1)).toEqual([
      `  in ${layerCount + 1} kernels: layerNorm + linear`,
      `  in ${layerCount} kernels: linear + add`,
      `  in ${layerCount} kernels: layerNorm + linear + reluSquared`,
      `  in ${layerCount} kernels: linearByInput + add`,
    ]);
  });

  it.each<[Site, string[]]>([
    ["layers.0.mlp.pre", [perLayer[0], perLayer[1], "layerNorm + linear", perLayer[3]]],
    ["layers.0.mlp.act", perLayer],
    ["layers.0.mlp.in", [perLayer[0], perLayer[1], "linear + reluSquared", perLayer[3]]],
    ["layers.0.mlp.out", perLayer.slice(0, 3)],
    ["layers.0.attn.out", [perLayer[0], perLayer[2], perLayer[3]]],
    ["layers.0.mid", perLayer],
  ])("leave room for an edit at %s", async (site, first) => {
    using _ = model.edit(site, edits.scale(0.5));
    const { apart, joined } = await bothWays(() => logprobs(model));
    expect(model.plan().joined).toEqual(groups(first));
    expect(joined).toEqual(apart);
  });

  it.each(["attn.out", "mlp.pre", "mlp.act", "out"] as const)(
    "give watches at %s the same values, and counters the same numbers",
    async (site) => {
      const { apart, joined } = await bothWays(async () => {
        const seen: number[][] = [];
        using _ = model.watch(`layers.*.${site}`, (value) => seen.push([...value.data]));
        using counter = model.countFiring("layers.*.mlp.act");
        const found = await logprobs(model);
        return { found, seen, counts: (await counter.read()).counts };
      });
      expect(apart.seen.length).toBeGreaterThan(8);
      expect(joined).toEqual(apart);
    },
  );

  it("do so when JavaScript has a turn between the two", async () => {
    using _ = model.hook("layers.0.mlp.pre", (x) => {
      x.data[0] = 1;
    });
    const { apart, joined } = await bothWays(() => logprobs(model));
    expect(model.plan().joined).toEqual([
      [perLayer[0], perLayer[1], "layerNorm + linear"],
      [perLayer[3], ...groups()[0].slice(4)],
    ]);
    expect(joined).toEqual(apart);
  });

  it("read nothing that a replay has not written", async () => {
    const expected = await logprobs(model);
    let poisoned = 0;
    using _ = model.watch("finalNorm.out", () => {
      model.runtime.plans.latest?.native.poison();
      poisoned++;
    });
    expect(await logprobs(model)).toEqual(expected);
    expect(poisoned).toBeGreaterThan(4);
  });
});

onGpu("values that take memory of their own size", () => {
  it("are joined, too: what one op has read is not written by the next at once", async () => {
    // Rows of more than 4 KiB, below which all sizes are one: the first layer finds no other block of the size of a row.
    const shape = { hidden: 1088, layers: 1, heads: 17, ffn: 1088, vocab: 64 };
    const model = randomModel(shape, { device: "cuda", dtype: "bfloat16", maxLength: 16, kvContexts: 1 });
    await model.generate([1], { maxNewTokens: 2, stopAtEos: false }).done;
    expect(model.plan().joined).toEqual([[...perLayer, head]]);
  });
});

onGpu("a device whose ops stay apart", () => {
  it("says so, and records its plans anew", async () => {
    const model = await loadModel(await tinyCheckpoint(), { device: "cuda", dtype: "bfloat16" });
    expect(model.device.joinsOps).toBe(true);
    const run = () => model.generate(ids, { maxNewTokens: 3, stopAtEos: false }).done;
    await run();
    const { captured } = model.device.graphs();
    for (const joins of [false, true, false]) {
      model.device.joinsOps = joins;
      expect(model.device.joinsOps).toBe(joins);
      await run();
      expect(model.plan().joined.flat().length > 0).toBe(joins);
    }
    model.device.joinsOps = true;
    expect(model.device.graphs().captured - captured).toBe(1);
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { keptPositions } from "../../src/research/run_with_cache.js";
import { allSites, matchSites, type Site } from "../../src/runtime/sites.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";
import { expectSameBits } from "../tensor/ops/on_device.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});
const ids = [1, 270, 300, 5, 9, 11, 280];

describe("runWithCache", () => {
  it("gives the logits of a plain run, to the bit, whatever is looked at", async () => {
    const plain = await model.logits(ids);
    for (const names of [["layers.0.out"], ["layers.*.attn.pattern"], allSites(model.config)]) {
      const { logits } = await model.runWithCache(ids, { names: names as Site[] });
      expectSameBits(logits.data, plain.data);
      expect(logits.shape).toEqual(plain.shape);
    }
  });

  it("the sites fit together: residual stream, MLP, rotation and pattern", async () => {
    const { cache, logits } = await model.runWithCache(ids, { names: allSites(model.config) });
    const at = (site: string) => cache.get(site as Site);
    expect(cache.sites).toEqual(allSites(model.config));
    expectSameBits(at("layers.0.in").data, at("embed.out").data);
    expectSameBits(at("layers.1.in").data, at("layers.0.out").data);
    expectSameBits(at("logits").data, logits.data);
    for (const layer of ["layers.0", "layers.1"]) {
      const sum = (a: string, b: string) =>
        at(`${layer}.${a}`).data.map((value, i) => value + at(`${layer}.${b}`).data[i]);
      expectSameBits(at(`${layer}.mid`).data, sum("in", "attn.out"));
      expectSameBits(at(`${layer}.out`).data, sum("mid", "mlp.out"));
      expectSameBits(
        at(`${layer}.mlp.act`).data,
        at(`${layer}.mlp.pre`).data.map((value) => Math.fround(Math.max(value, 0) ** 2)),
      );
      // Position 0 is not rotated, and the second half of each head never is.
      const { data: q, shape } = at(`${layer}.attn.q`);
      const { data: qRot } = at(`${layer}.attn.qRot`);
      expect(shape).toEqual([7, 2, 16]);
      expectSameBits(qRot.slice(0, 32), q.slice(0, 32));
      for (let head = 0; head < 14; head++) {
        expectSameBits(qRot.slice(16 * head + 8, 16 * head + 16), q.slice(16 * head + 8, 16 * head + 16));
      }
      const pattern = at(`${layer}.attn.pattern`);
      expect(pattern.shape).toEqual([7, 2, 7]);
      for (let row = 0; row < 14; row++) {
        const weights = pattern.data.slice(row * 7, row * 7 + 7);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
        const own = Math.floor(row / 2);
        expect(weights.slice(own + 1).every((weight) => weight === 0)).toBe(true);
      }
    }
  });

  it("keeps the positions that were asked for, in their order", async () => {
    const names: Site[] = ["layers.1.mlp.act", "layers.0.attn.q"];
    const all = (await model.runWithCache(ids, { names })).cache;
    const row = (site: Site, position: number) =>
      all
        .get(site)
        .data.slice(
          position * (all.get(site).data.length / 7),
          (position + 1) * (all.get(site).data.length / 7),
        );
    for (const [keep, positions] of [
      ["all", [0, 1, 2, 3, 4, 5, 6]],
      ["last", [6]],
      [[3], [3]],
      [
        [5, 0, 0],
        [5, 0, 0],
      ],
      // As many as there are, but in another order.
      [
        [6, 5, 4, 3, 2, 1, 0],
        [6, 5, 4, 3, 2, 1, 0],
      ],
      [[], []],
      [{ every: 3 }, [0, 3, 6]],
    ] as const) {
      const { cache } = await model.runWithCache(ids, { names, keep });
      for (const site of names) {
        const found = cache.get(site);
        expect(found.positions).toEqual(positions);
        expect(found.shape).toEqual([positions.length, ...all.get(site).shape.slice(1)]);
        const wanted = positions.flatMap((position) => [...row(site, position)]);
        expectSameBits(found.data, Float32Array.from(wanted));
      }
    }
  });

  it("gives the logits of the last position alone, to the bit, and the same values", async () => {
    const names: Site[] = ["layers.1.out", "layers.0.attn.pattern"];
    const { vocabSize } = model.config;
    const all = await model.runWithCache(ids, { names });
    const row = all.logits.data.slice(6 * vocabSize);
    const { chunkTokens } = model.runtime;
    try {
      // In one pass, in whole chunks, and with one that is not.
      for (const tokens of [512, 1, 3]) {
        model.runtime.chunkTokens = tokens;
        const { logits, cache } = await model.runWithCache(ids, { names, logits: "last" });
        expect(logits.shape).toEqual([1, vocabSize]);
        expectSameBits(logits.data, row);
        for (const site of names) expectSameBits(cache.get(site).data, all.cache.get(site).data);
        const alone = await model.logits(ids, { positions: "last" });
        expect(alone.shape).toEqual([1, vocabSize]);
        expectSameBits(alone.data, row);
      }
    } finally {
      model.runtime.chunkTokens = chunkTokens;
    }
  });

  it("counts the logits among its bytes", async () => {
    const names: Site[] = ["layers.0.out"];
    const { vocabSize, hiddenSize } = model.config;
    const last = 4 * (vocabSize + hiddenSize);
    const all = 4 * (7 * vocabSize + hiddenSize);
    const options = { names, keep: "last" } as const;
    await model.runWithCache(ids, { ...options, maxBytes: all });
    await model.runWithCache(ids, { ...options, logits: "last", maxBytes: last });
    expect(await failureOf(model.runWithCache(ids, { ...options, maxBytes: all - 1 }))).toMatch(
      /^CACHE_OVER_BUDGET: .*the largest part is the logits of 7 positions with 0.00843 MB/,
    );
    expect(
      await failureOf(model.runWithCache(ids, { ...options, logits: "last", maxBytes: last - 1 })),
    ).toMatch(/^CACHE_OVER_BUDGET/);
  });

  it("leaves no memory and no KV page behind, also after an error", async () => {
    const before = model.device.memory().bytesInUse;
    await model.runWithCache(ids, { names: allSites(model.config) });
    expect(model.device.memory().bytesInUse).toBe(before);
    for (let i = 0; i < 5; i++) {
      await failureOf(model.runWithCache(ids, { names: ["nowhere" as Site] }));
    }
    expect(model.device.memory().bytesInUse).toBe(before);
    using sequence = model.kv.createSequence();
    sequence.extend(4 * tinyConfig.max_position_embeddings);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["no names", () => model.runWithCache(ids, {} as never)],
    ["no options", () => model.runWithCache(ids, undefined as never)],
    ["an unknown site", () => model.runWithCache(ids, { names: ["layers.0.mlp.akt" as Site] })],
    ["a layer that is not there", () => model.runWithCache(ids, { names: ["layers.2.out"] })],
    ["a position outside", () => model.runWithCache(ids, { names: ["logits"], keep: [7] })],
    ["every nothing", () => model.runWithCache(ids, { names: ["logits"], keep: { every: 0 } })],
    [
      "logits of no position",
      () => model.runWithCache(ids, { names: ["embed.out"], logits: "none" as never }),
    ],
    ["all logits and the last", () => model.runWithCache(ids, { names: ["logits"], logits: "last" })],
    ["logits of some position", () => model.logits(ids, { positions: [3] as never })],
    ["a budget", () => model.runWithCache(ids, { names: ["logits", "layers.0.out"], maxBytes: 1000 })],
    ["an empty prompt", () => model.runWithCache([], { names: ["logits"] })],
    [
      "a site that was not kept",
      async () => (await model.runWithCache(ids, { names: ["layers.0.out"] })).cache.get("layers.1.out"),
    ],
  ])("%s is a coded error that comes through the promise", async (_, run) => {
    expect(await failureOf(run())).toMatchSnapshot();
  });
});

describe("sites", () => {
  it("a star stands for every layer", () => {
    expect(matchSites(model.config, ["layers.*.out", "logits"])).toEqual([
      "layers.0.out",
      "layers.1.out",
      "logits",
    ]);
  });

  it("names are no regular expressions", async () => {
    for (const name of ["layers.0.o.t", "layers.(0|1).out", "", "."]) {
      expect(() => matchSites(model.config, [name])).toThrow(/is no site/);
    }
  });
});

it("keptPositions: the last of one token", () => expect(keptPositions("last", 1)).toEqual([0]));

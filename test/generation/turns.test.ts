import { beforeAll, describe, expect, it } from "vitest";
import { turnsOf } from "../../src/generation/turns.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { KvCache } from "../../src/runtime/kv_cache.js";
import { Device } from "../../src/tensor/device.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

describe("turns", () => {
  // 10 pages of 32 positions.
  const kv = () => new KvCache(Device.cpu(2), { layers: 1, heads: 1, headDim: 2 }, 320);
  const prompts = (...lengths: number[]) => lengths.map((length) => new Array<number>(length).fill(5));
  const ends = (cache: KvCache, lengths: number[], maxNewTokens: number, shared = 0) =>
    turnsOf(cache, prompts(...lengths), { maxNewTokens, shared, maxLength: 512 }).map(({ end }) => end);

  it("is one where all texts have room, however long they become", () => {
    expect(ends(kv(), [32, 32, 32, 32, 32], 32)).toEqual([5]);
    expect(ends(kv(), new Array(10).fill(1), 31)).toEqual([10]);
  });

  it("are several where they have not: each text takes whole pages", () => {
    expect(ends(kv(), new Array(25).fill(1), 31)).toEqual([10, 20, 25]);
    expect(ends(kv(), [32, 32, 33, 32, 32], 32)).toEqual([4, 5]);
  });

  it("count once what is shared, but not the page that each goes on in", () => {
    // 4 shared pages and one of each text.
    expect(ends(kv(), new Array(7).fill(150), 10, 140)).toEqual([6, 7]);
  });

  it("leave alone what others hold, and what cannot fit together with anything", () => {
    const cache = kv();
    cache.createSequence().extend(64);
    expect(ends(cache, new Array(9).fill(1), 1)).toEqual([8, 9]);
    expect(ends(cache, [1, 200, 1], 300)).toEqual([1, 2, 3]);
  });

  it("are none where a prompt has no room", () => {
    const cache = kv();
    cache.createSequence().extend(64);
    expect(() => ends(cache, [1, 257], 1)).toThrow(
      "prompt 1 of 257 tokens needs 9 pages of 32 positions, 8 are free: 2 of the 10 pages",
    );
  });
});

describe("a batch of several turns", () => {
  let model: LanguageModel;
  const prompts = Array.from({ length: 10 }, (_, i) => [1, 270 + i]);
  beforeAll(async () => {
    // A cache of four pages.
    model = await loadModel(await tinyCheckpoint(), { maxLength: 32 });
  });

  it.each([{}, { temperature: 1, seed: 12 }])(
    "gives what each prompt alone gives, with %j",
    async (options) => {
      const told: [number, string][] = [];
      const all = await model.generateBatch(prompts, {
        ...options,
        maxNewTokens: 6,
        onFinished: (prompt, { text }) => told.push([prompt, text]),
      });
      for (const [i, prompt] of prompts.entries()) {
        const alone = { ...options, maxNewTokens: 6, ...("seed" in options && { seed: 12 + i }) };
        expect(all[i]).toEqual(await model.generate(prompt, alone).done);
      }
      expect(told.sort(([a], [b]) => a - b)).toEqual(all.map(({ text }, i) => [i, text]));
      expect(model.kv.sequences).toEqual([]);
    },
  );

  it("an interrupt ends all turns", async () => {
    const stop = new AbortController();
    const all = await model.generateBatch(prompts, {
      maxNewTokens: 6,
      stopAtEos: false,
      signal: stop.signal,
      onFinished: () => stop.abort(),
    });
    expect(all.map(({ finish }) => finish)).toEqual([
      ...new Array(4).fill("length"),
      ...new Array(6).fill("interrupted"),
    ]);
  });

  it("a prompt that has no room beside what is held is refused before anything runs", async () => {
    using held = await model.prefill([1, 2, 3]);
    const others = await Promise.all([1, 2, 3].map(() => model.prefill([1, 5])));
    let passes = 0;
    using _watch = model.watch("layers.0.out", () => passes++);
    expect(await failureOf(model.generateBatch(prompts))).toMatch(
      /^KV_CACHE_FULL: prompt 0 of 2 tokens needs 1 pages of 32 positions, 0 are free: 4 of the 4 pages of the KV cache are in use, by 4 sequences of 9 positions/,
    );
    expect(passes).toBe(0);
    for (const sequence of others) sequence.release();
    expect(model.kv.sequences).toEqual([held]);
    expect(await model.generateBatch(prompts, { maxNewTokens: 1 })).toHaveLength(10);
  });
});

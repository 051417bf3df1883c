import { beforeAll, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import type { At } from "../../../src/nn/index.js";
import type { SiteValue } from "../../../src/runtime/interventions.js";
import { allSites, type Site } from "../../../src/runtime/sites.js";
import { failureOf } from "../../support/codes.js";
import { expectAlike, expectAlikeValues, expectSame, generated, type Made, onBothModels } from "./support.js";

onBothModels("watches", ({ load, prompt }) => {
  let model: LanguageModel;
  let plain: Made;
  beforeAll(async () => {
    model = await load();
    plain = await generated(model, prompt, 12);
  });

  it("at every site change nothing, and see each token once, in order", async () => {
    const sites = allSites(model.config);
    const seen: [string, number][] = [];
    using _ = model.watch("layers.*.attn.pattern", () => {});
    const handles = sites.map((site) => model.watch(site, (_, at) => seen.push([at.site, at.step])));
    expectAlike(await generated(model, prompt, 12), plain);
    expect(seen).toEqual(plain.ids.flatMap((_, step) => sites.map((site) => [site, step])));
    expect(model.plan().breaks).toEqual([]);
    for (const handle of handles) handle.dispose();
  });

  it("see in decoding what one forward pass over the whole text has at these positions", async () => {
    const sites = allSites(model.config).filter((site) => !site.endsWith(".pattern"));
    const found = new Map<Site, number[]>();
    const handles = sites.map((site) =>
      model.watch(site, (x) => found.set(site, [...(found.get(site) ?? []), ...x.data]), { phase: "decode" }),
    );
    const { ids } = await generated(model, prompt, 12);
    for (const handle of handles) handle.dispose();
    const whole = [...prompt, ...ids.slice(0, -1)];
    const { cache } = await model.runWithCache(whole, { names: sites });
    for (const site of sites) {
      const { data } = cache.get(site);
      const wanted = data.slice((data.length / whole.length) * prompt.length);
      expectAlikeValues(Float32Array.from(found.get(site) ?? []), wanted);
    }
  });

  it("a pattern is the softmax of the rotated queries and keys, in prefill and in decoding", async () => {
    const { headDim, numAttentionHeads: heads, numHiddenLayers } = model.config;
    let worst = 0;
    for (let layer = 0; layer < numHiddenLayers; layer++) {
      const keys: Float32Array[] = [];
      let queries: Float32Array;
      const at = (name: "qRot" | "kRot" | "pattern") => `layers.${layer}.attn.${name}` as const;
      using _q = model.watch(at("qRot"), (x) => {
        queries = x.data;
      });
      using _k = model.watch(at("kRot"), (x) => {
        for (let row = 0; row < x.shape[0]; row++) keys.push(x.row(row));
      });
      using _p = model.watch(at("pattern"), (x, { positions }) => {
        expect(x.shape).toEqual([positions.length, heads, keys.length]);
        for (const [row, position] of positions.entries()) {
          for (let head = 0; head < heads; head++) {
            const scores = keys.slice(0, position + 1).map((key) => {
              let sum = 0;
              for (let i = head * headDim; i < (head + 1) * headDim; i++) {
                sum += queries[row * heads * headDim + i] * key[i];
              }
              return sum / Math.sqrt(headDim);
            });
            const largest = Math.max(...scores);
            const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
            const found = x.row(row).subarray(head * keys.length, (head + 1) * keys.length);
            for (const [key, weight] of found.entries()) {
              const wanted = key > position ? 0 : Math.exp(scores[key] - largest) / total;
              worst = Math.max(worst, Math.abs(weight - wanted));
            }
          }
        }
      });
      expectAlike(await generated(model, prompt, 12), plain);
      expect(keys).toHaveLength(prompt.length + 11);
    }
    expect(worst).toBeLessThan(1e-6);
  });

  it("one that throws rejects with the site's name, and the next call works", async () => {
    for (const step of [0, 1, 4]) {
      using _ = model.watch("layers.0.mlp.pre", (_x: SiteValue, at: At) => {
        if (at.step === step) throw new Error("on purpose");
      });
      expect(await failureOf(generated(model, prompt, 8))).toBe(
        "WATCH_FAILED: the watcher of layers.0.mlp.pre threw: on purpose",
      );
    }
    expectSame(await generated(model, prompt, 12), plain);
  });

  it("each gets a copy of its own", async () => {
    using _a = model.watch("layers.0.out", (x) => x.data.fill(7));
    const sums: number[] = [];
    using _b = model.watch("layers.0.out", (x) => sums.push(x.data.reduce((sum, value) => sum + value, 0)));
    expectSame(await generated(model, prompt, 12), plain);
    expect(sums.every((sum) => sum !== 7 * 256)).toBe(true);
  });
});

import { setTimeout as pause } from "node:timers/promises";
import { inspect } from "node:util";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { randomModel } from "../../src/random_model.js";
import { prefillChunk } from "../../src/runtime/prefill.js";
import { allSites } from "../../src/runtime/sites.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});
afterEach(() => {
  model.runtime.chunkTokens = prefillChunk;
});
const ids = Array.from({ length: 45 }, (_, i) => (i * 7919 + 17) % 260);

/** How many pages of the cache are in use, as it prints itself. */
const freePages = () => /\d+ of \d+ pages/.exec(inspect(model.kv))?.[0];

describe("a prompt in chunks", () => {
  it.each([1, 7, 44])("of %i tokens: logits and every site have the bits of one pass", async (chunk) => {
    const names = allSites(model.config);
    const whole = await model.runWithCache(ids, { names });
    model.runtime.chunkTokens = chunk;
    const parts = await model.runWithCache(ids, { names });
    expect(parts.logits).toEqual(whole.logits);
    expect(parts.cache.sites).toEqual(whole.cache.sites);
    for (const site of names) expect(parts.cache.get(site)).toEqual(whole.cache.get(site));
    expect((await model.logits(ids)).data).toEqual(whole.logits.data);
  });

  it("keeps the positions that were asked for, in any order and from any chunk", async () => {
    const names = ["layers.1.mlp.act", "layers.0.attn.pattern"] as const;
    for (const keep of ["last", [40, 3, 3, 21], { every: 9 }, []] as const) {
      const whole = await model.runWithCache(ids, { names, keep });
      model.runtime.chunkTokens = 8;
      const parts = await model.runWithCache(ids, { names, keep });
      model.runtime.chunkTokens = prefillChunk;
      for (const site of names) expect(parts.cache.get(site)).toEqual(whole.cache.get(site));
    }
  });

  it("says how far it is: logits, logprobs, runWithCache, prefill and generate", async () => {
    model.runtime.chunkTokens = 20;
    const seen: number[][] = [];
    const onProgress = ({ loaded, total }: { loaded: number; total: number }) => seen.push([loaded, total]);
    const told = async (run: Promise<unknown>) => {
      await run;
      return seen.splice(0);
    };
    const all = [20, 40, 45].map((loaded) => [loaded, 45]);
    expect(await told(model.logits(ids, { onProgress }))).toEqual(all);
    expect(await told(model.logprobs(ids, { onProgress }))).toEqual(all);
    expect(await told(model.runWithCache(ids, { names: ["layers.0.out"], onProgress }))).toEqual(all);
    expect(await told(model.prefill(ids, { onProgress }))).toEqual(all);
    // What is left goes with the first token.
    expect(await told(model.generate(ids, { maxNewTokens: 1, onProgress }).done)).toEqual(all.slice(0, 2));
    const wrong = model.generate(ids, { onProgress: 5 as never }).done;
    expect(await failureOf(wrong)).toBe("SAMPLING_INVALID: onProgress must be a function");
  });

  it("ends after the chunk under way when it is interrupted, and the model goes on as before", async () => {
    const wanted = (await model.logits(ids)).data;
    model.runtime.chunkTokens = 5;
    const free = freePages();
    for (const run of [
      (signal: AbortSignal, onProgress: () => void) => model.logits(ids, { signal, onProgress }),
      (signal: AbortSignal, onProgress: () => void) => model.logprobs(ids, { signal, onProgress }),
      (signal: AbortSignal, onProgress: () => void) => model.prefill(ids, { signal, onProgress }),
      (signal: AbortSignal, onProgress: () => void) =>
        model.runWithCache(ids, { names: ["layers.*.mlp.act"], signal, onProgress }),
    ]) {
      const stop = new AbortController();
      let chunks = 0;
      const interrupted = run(stop.signal, () => {
        chunks++;
        if (chunks === 2) stop.abort();
      });
      expect(await failureOf(interrupted)).toMatch(/^INTERRUPTED: /);
      expect(chunks).toBe(2);
      expect(freePages()).toBe(free);
    }
    expect((await model.logits(ids)).data).toEqual(wanted);
  });
});

describe("an interrupt in the middle of a chunk", () => {
  it("leaves out the ops that have not begun, also of a generation, and later results are the same", async () => {
    const shape = { hidden: 512, layers: 6, heads: 8, ffn: 2048, vocab: 512 };
    const large = randomModel(shape, { threads: 1, maxLength: 1024 });
    const prompt = Array.from({ length: 500 }, (_, i) => (i * 31) % 512);
    const wanted = (await large.logits(prompt)).data;
    const { read } = await large.device.weightTraffic();
    const stop = new AbortController();
    const running = large.logits(prompt, { signal: stop.signal });
    await pause(1);
    stop.abort();
    expect(await failureOf(running)).toMatch(/^INTERRUPTED: /);
    // Whole matrices are read at each 128 rows: had all of them been read, this would be four times the weights.
    const taken = (await large.device.weightTraffic()).read - read;
    expect(taken).toBeLessThan(2 * large.weightBytes);

    const stopped = new AbortController();
    const stream = large.generate(prompt, { maxNewTokens: 3, signal: stopped.signal });
    const done = stream.done;
    await pause(1);
    stopped.abort();
    expect((await done).finish).toBe("interrupted");
    expect((await done).ids).toEqual([]);
    expect((await large.logits(prompt)).data).toEqual(wanted);
  });
});

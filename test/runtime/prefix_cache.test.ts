import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { edits, type LanguageModel, loadModel, nn, ops, PrefixCache, type Tensor } from "../../src/index.js";
import type { KvSequence } from "../../src/runtime/kv_cache.js";
import { codeOf, failureOf } from "../support/codes.js";
import { tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";
import { expectSameBits } from "../tensor/ops/on_device.js";

let model: LanguageModel;
let prefixes: PrefixCache;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});
beforeEach(() => {
  prefixes = new PrefixCache(model.runtime);
  return () => prefixes.clear();
});
const text = Array.from({ length: 80 }, (_, n) => (n * 37 + 11) % 280);

/** Logits of the last token of `ids`, all but `tail` of them from the cache. */
async function lastLogits(ids: readonly number[], tail = 1): Promise<Float32Array> {
  using sequence = await prefixes.prefix(ids.slice(0, ids.length - tail));
  return await continued(sequence, ids.slice(ids.length - tail));
}

async function continued(sequence: KvSequence, ids: readonly number[]): Promise<Float32Array> {
  using logits = await model.runtime.forward([{ sequence, ids, logits: "last" }]);
  return await logits.data();
}

async function plainLogits(ids: readonly number[]): Promise<Float32Array> {
  using sequence = model.kv.createSequence();
  return await continued(sequence, ids);
}

class Twice extends nn.Module {
  protected override forward(x: Tensor): Tensor {
    return ops.add(x, x);
  }
}

describe("PrefixCache", () => {
  it("gives the bits of a whole run and computes each token once", async () => {
    for (const [end, tail] of [
      [40, 1],
      [64, 3],
      [80, 16],
      [33, 1],
      [80, 79],
    ]) {
      expectSameBits(await lastLogits(text.slice(0, end), tail), await plainLogits(text.slice(0, end)));
    }
    expect(prefixes.tokens).toEqual({ computed: 64, reused: 39 + 61 + 32 + 1 });
    // A text that branches off: what they have in common is shared.
    const other = [...text.slice(0, 50), 7, 8, 9];
    expectSameBits(await lastLogits(other), await plainLogits(other));
    expect(prefixes.tokens.computed).toBe(64 + 2);
    // The first one was not harmed.
    expectSameBits(await lastLogits(text), await plainLogits(text));
  });

  it("a prefix made under an edit never serves a run without it, nor the other way round", async () => {
    const plain = await plainLogits(text);
    await lastLogits(text);
    {
      using steer = model.edit("layers.0.out", edits.add(new Float32Array(32).fill(1), { scale: 3 }));
      const steered = await plainLogits(text);
      expect(steered).not.toEqual(plain);
      expectSameBits(await lastLogits(text), steered);
      expect(prefixes.tokens).toEqual({ computed: 158, reused: 0 });
      expectSameBits(await lastLogits(text), steered);
      expect(prefixes.tokens).toEqual({ computed: 158, reused: 79 });
      // Another strength is another edit.
      steer.scale = 5;
      expectSameBits(await lastLogits(text), await plainLogits(text));
      expect(prefixes.tokens).toEqual({ computed: 237, reused: 79 });
    }
    expectSameBits(await lastLogits(text), plain);
    expect(prefixes.tokens).toEqual({ computed: 237, reused: 158 });
    // An edit of generated tokens only does not touch a prompt.
    using _decode = model.edit("layers.0.out", edits.zero(), { phase: "decode" });
    expectSameBits(await lastLogits(text), plain);
    expect(prefixes.tokens).toEqual({ computed: 237, reused: 237 });
  });

  it("a swapped module, and a module with another setting, make a prefix of their own", async () => {
    const plain = await plainLogits(text);
    await lastLogits(text);
    class Scaled extends nn.Module {
      factor = 1;
      protected override forward(x: Tensor): Tensor {
        return nn.host(x, (values, out) => out.set(values.map((value) => this.factor * value)));
      }
    }
    const { mlp } = model.layers[0];
    const scaled = new Scaled();
    model.layers[0].mlp = scaled;
    const swapped = await plainLogits(text);
    expectSameBits(await lastLogits(text), swapped);
    scaled.factor = 2;
    expectSameBits(await lastLogits(text), await plainLogits(text));
    expect(prefixes.tokens.reused).toBe(0);
    model.layers[0].mlp = mlp;
    expectSameBits(await lastLogits(text), plain);
    expect(prefixes.tokens.reused).toBe(79);
  });

  it("keeps nothing where a hook is in force: it may do another thing each time", async () => {
    let factor = 1;
    using _hook = model.hook("layers.0.out", (x) => x.data.map((value) => value * factor));
    await lastLogits(text);
    factor = 2;
    expectSameBits(await lastLogits(text), await plainLogits(text));
    expect(prefixes.tokens.reused).toBe(0);
  });

  it("keeps a few texts, gives up the oldest, and everything where the cache is full", async () => {
    using two = new PrefixCache(model.runtime, { sequences: 2 });
    const texts = [1, 2, 3].map((first) => [first, ...text]);
    for (const ids of texts) (await two.prefix(ids)).release();
    (await two.prefix(texts[1])).release();
    expect(two.tokens).toEqual({ computed: 243, reused: 81 });
    (await two.prefix(texts[0])).release();
    expect(two.tokens).toEqual({ computed: 324, reused: 81 });
    // All pages but those of the kept texts are taken by someone else.
    using greedy = model.kv.createSequence();
    const pages = (4 * tinyConfig.max_position_embeddings) / 32;
    greedy.extend((pages - 6) * 32);
    (await two.prefix([9, ...text])).release();
    expect(two.tokens.computed).toBe(405);
    two.clear();
    expect(() => greedy.extend(3 * 32)).not.toThrow();
  });

  it("what is swapped while a prefix is computed keeps it from being kept; calls may overlap", async () => {
    const running = prefixes.prefix(text);
    const { mlp } = model.layers[1];
    model.layers[1].mlp = new Twice();
    (await running).release();
    model.layers[1].mlp = mlp;
    expectSameBits(await lastLogits(text), await plainLogits(text));
    const starts = [10, 40, 79, 40, 10, 60];
    const sequences = await Promise.all(starts.map((length) => prefixes.prefix(text.slice(0, length))));
    for (const [index, sequence] of sequences.entries()) {
      expectSameBits(await continued(sequence, text.slice(starts[index])), await plainLogits(text));
      sequence.release();
    }
  });

  it("an error and an interrupt leave no page behind", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    expect(await failureOf(prefixes.prefix(text, signal))).toMatch(/^INTERRUPTED/);
    expect(await failureOf(prefixes.prefix([1, 99_999]))).toMatch(/^TOKEN_ID_OUT_OF_RANGE: .*index 1/);
    expect(await failureOf(prefixes.prefix(new Array(513).fill(1)))).toMatch(/^PROMPT_TOO_LONG: .*513/);
    {
      using _hook = model.hook("layers.1.out", () => {
        throw new Error("no");
      });
      expect(await failureOf(prefixes.prefix(text))).toMatch(/^HOOK_FAILED/);
    }
    using whole = model.kv.createSequence();
    whole.extend(4 * tinyConfig.max_position_embeddings);
    expect(codeOf(() => new PrefixCache(model.runtime, { sequences: 0 }))).toBe("ARGUMENT_INVALID");
  });
});

import { describe, expect, it } from "vitest";
import { loadModel, ops, PrefixCache, randomModel, Tensor } from "../../src/index.js";
import { codeOf, failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const ids = Array.from({ length: 75 }, (_, i) => (i * 7919 + 17) % 260);
const greedy = { maxNewTokens: 20, stopAtEos: false };

/** To nearest, to even between two: what bfloat16 keeps of finite numbers. */
function roundToBFloat16(values: Float32Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    words[i] = ((words[i] + 0x7fff + ((words[i] >>> 16) & 1)) >>> 16) << 16;
  }
}

async function models() {
  const folder = await tinyCheckpoint();
  return {
    exact: await loadModel(folder),
    rounded: await loadModel(folder, { kvDtype: "bfloat16" }),
  };
}

describe('kvDtype: "bfloat16"', () => {
  it("gives the bits of a float32 cache into which rounded keys and values were written by hand", async () => {
    const { exact, rounded } = await models();
    const plain = (await exact.logits(ids)).data;
    const found = (await rounded.logits(ids)).data;
    const text = (await rounded.generate(ids, greedy).done).ids;
    using _k = exact.hook("layers.*.attn.kRot", (x) => roundToBFloat16(x.data));
    using _v = exact.hook("layers.*.attn.v", (x) => roundToBFloat16(x.data));
    expect(found).toEqual((await exact.logits(ids)).data);
    expect(text).toEqual((await exact.generate(ids, greedy).done).ids);
    const off = found.map((value, i) => Math.abs(value - plain[i]));
    expect(Math.max(...off)).toBeGreaterThan(1e-4);
    expect(Math.max(...off)).toBeLessThan(0.1);
  });

  it("keeps what is exact: token by token, forks inside a page, batches, plans with breaks", async () => {
    const { rounded } = await models();
    const alone = (await rounded.generate(ids, greedy).done).ids;
    const all = (await rounded.logits(ids)).data;
    expect((await rounded.logits(ids.slice(0, 40))).data).toEqual(
      all.slice(0, 40 * (all.length / ids.length)),
    );
    using start = await rounded.prefill(ids.slice(0, 45));
    const rest = ids.slice(45);
    const forks = [start.fork(), start.fork()];
    for (const kv of forks) expect((await rounded.generate(rest, { ...greedy, kv }).done).ids).toEqual(alone);
    const [first, second] = await rounded.generateBatch([ids, ids.slice(3)], greedy);
    expect(first.ids).toEqual(alone);
    expect(second.ids).toEqual((await rounded.generate(ids.slice(3), greedy).done).ids);
    expect((await rounded.generate(ids, { ...greedy, breakEverywhere: true }).done).ids).toEqual(alone);
    expect((await rounded.generate(ids, { ...greedy, promptLookup: true }).done).ids).toEqual(alone);
  });

  it("takes half the memory and says so", async () => {
    const { exact, rounded } = await models();
    expect([exact.kvDtype, rounded.kvDtype]).toEqual(["float32", "bfloat16"]);
    expect(rounded.kv.bytesPerToken).toBe(exact.kv.bytesPerToken / 2);
    const shape = { hidden: 64, layers: 1, heads: 1, ffn: 64, vocab: 320 };
    expect(randomModel(shape, { kvDtype: "bfloat16", maxLength: 64 }).kv.bytesPerToken).toBe(2 * 64 * 2);
  });

  it("refuses other types, and ops refuse keys and values of two types", async () => {
    const folder = await tinyCheckpoint();
    const wrong = loadModel(folder, { kvDtype: "int4" as "float32" });
    expect(await failureOf(wrong)).toMatch(
      /^DTYPE_UNSUPPORTED: kvDtype must be "float32", "bfloat16" or "int8"/,
    );
    const { device } = await loadModel(folder);
    const cache = {
      keys: Tensor.empty(device, [1, 1, 2, 4], "bfloat16"),
      values: Tensor.empty(device, [1, 1, 2, 4]),
      pageTable: Tensor.from(device, Int32Array.of(0), [1, 1]),
      positions: Tensor.from(device, Int32Array.of(0)),
      sequences: Tensor.from(device, Int32Array.of(0)),
      longest: 1,
    };
    const k = Tensor.from(device, new Float32Array(4), [1, 1, 4]);
    expect(codeOf(() => ops.cacheAppend(k, k, cache))).toBe("DTYPE_MISMATCH");
  });
});

/** Each head to whole numbers from -127 to 127 times its largest number / 127, in double precision. */
function roundToInt8(values: Float32Array, headDim: number): void {
  for (let head = 0; head < values.length; head += headDim) {
    const row = values.subarray(head, head + headDim);
    const scale = Math.fround(row.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127);
    for (let i = 0; i < headDim; i++) {
      const quotient = Math.fround(row[i] / scale);
      const up = Math.floor(quotient + 0.5);
      const nearest = up - quotient === 0.5 && up % 2 !== 0 ? up - 1 : up;
      row[i] = nearest * scale;
    }
  }
}

describe('kvDtype: "int8"', () => {
  it("gives what a float32 cache does into which rounded keys and values were written by hand", async () => {
    const folder = await tinyCheckpoint();
    const [exact, rounded] = [await loadModel(folder), await loadModel(folder, { kvDtype: "int8" })];
    const plain = (await exact.logits(ids)).data;
    const found = (await rounded.logits(ids)).data;
    const text = (await rounded.generate(ids, greedy).done).ids;
    const { headDim } = exact.config;
    using _k = exact.hook("layers.*.attn.kRot", (x) => roundToInt8(x.data, headDim));
    using _v = exact.hook("layers.*.attn.v", (x) => roundToInt8(x.data, headDim));
    const wanted = (await exact.logits(ids)).data;
    const off = (a: Float32Array, b: Float32Array) =>
      Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    expect(off(found, wanted)).toBeLessThan(1e-4);
    expect(text).toEqual((await exact.generate(ids, greedy).done).ids);
    expect(off(found, plain)).toBeGreaterThan(1e-3);
    expect(off(found, plain)).toBeLessThan(0.5);
  });

  it("keeps what is exact: token by token, forks inside a page, prefixes, batches, plans with breaks, patterns", async () => {
    const model = await loadModel(await tinyCheckpoint(), { kvDtype: "int8" });
    const alone = (await model.generate(ids, greedy).done).ids;
    const all = (await model.logits(ids)).data;
    expect((await model.logits(ids.slice(0, 40))).data).toEqual(all.slice(0, 40 * (all.length / ids.length)));
    using start = await model.prefill(ids.slice(0, 45));
    const rest = ids.slice(45);
    const forks = [start.fork(), start.fork()];
    for (const kv of forks) expect((await model.generate(rest, { ...greedy, kv }).done).ids).toEqual(alone);
    using prefixes = new PrefixCache(model.runtime);
    using first = await prefixes.prefix(ids.slice(0, 50));
    using second = await prefixes.prefix([...ids.slice(0, 41), 5]);
    expect(prefixes.tokens).toEqual({ reused: 41, computed: 51 });
    for (const kv of [first.fork()]) {
      expect((await model.generate(ids.slice(50), { ...greedy, kv }).done).ids).toEqual(alone);
    }
    expect(second.length).toBe(42);
    const batch = await model.generateBatch([ids, ids.slice(3)], greedy);
    expect(batch[0].ids).toEqual(alone);
    expect(batch[1].ids).toEqual((await model.generate(ids.slice(3), greedy).done).ids);
    expect((await model.generate(ids, { ...greedy, breakEverywhere: true }).done).ids).toEqual(alone);
    expect((await model.generate(ids, { ...greedy, promptLookup: true }).done).ids).toEqual(alone);
    using _ = model.watch("layers.*.attn.pattern", () => {});
    expect((await model.logits(ids)).data).toEqual(all);
  });

  it("gives the same bits with 1 and 2 threads", async () => {
    const folder = await tinyCheckpoint();
    const load = (threads: number) => loadModel(folder, { kvDtype: "int8", threads });
    const [one, two] = [await load(1), await load(2)];
    expect((await one.logits(ids)).data).toEqual((await two.logits(ids)).data);
  });

  it("takes a byte a number and a scale for each head of a token, and its pages cannot be read as numbers", async () => {
    const shape = { hidden: 128, layers: 3, heads: 2, ffn: 64, vocab: 320 };
    const model = randomModel(shape, { kvDtype: "int8", maxLength: 64 });
    expect(model.kv.bytesPerToken).toBe(2 * 3 * 2 * (64 + 4));
    const { keys } = model.kv.layers[0];
    expect(keys.byteLength).toBe(model.kv.pageCount * 2 * 32 * (64 + 4));
    expect(codeOf(() => keys.dataSync())).toBe("DTYPE_UNSUPPORTED");
  });
});

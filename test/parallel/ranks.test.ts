import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { type LoadOptions, loadModel } from "../../src/load_model.js";
import { FollowerRuntime } from "../../src/parallel/parallel_runtime.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { expectNear, readFixture } from "../support/fixtures.js";
import { repositoryRoot, sharedOrSkip } from "../support/shared.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

afterEach(() => vi.restoreAllMocks());

const counts = [1, 2, 4] as const;
const prompt = [1, 270, 300, 5, 9, 11, 280];

/** Logits of all ranks beside the first, of every pass from now on. */
function otherLogits(): Promise<Float32Array>[] {
  const seen: Promise<Float32Array>[] = [];
  const runs = FollowerRuntime.prototype as unknown as { run(...all: unknown[]): Promise<Tensor> };
  const { run } = runs;
  vi.spyOn(runs, "run").mockImplementation(async function (this: unknown, ...all) {
    const logits = await run.apply(this, all);
    seen.push(logits.data());
    return logits;
  });
  return seen;
}

for (const [name, from] of [
  ["tiny-f32", "tiny-f32"],
  ["tiny-bf16-sharded", "tiny-bf16-sharded"],
  ["tiny-bf16-bin", "tiny-bf16-sharded"],
  ["head64", "head64"],
]) {
  sharedOrSkip(`reference/${name}`, `fixture ${name}`, (directory) => {
    it.each(counts)("%i ranks: logits within 5e-4 of Hugging Face, greedy ids exact", async (ranks) => {
      const { reference, tensors } = readFixture(join(directory, "..", from));
      const model = await loadModel(directory, { tensorParallel: ranks });
      const { data } = await model.logits(reference.prompt_ids);
      const { vocabSize } = model.config;
      const rows = reference.activation_positions.flatMap((row) => [
        ...data.subarray(row * vocabSize, (row + 1) * vocabSize),
      ]);
      expectNear("logits", rows, tensors.get("logits")!.data, 5e-4);
      const { greedy_ids: greedy } = reference;
      const stream = model.generate(reference.prompt_ids, {
        maxNewTokens: greedy.length,
        logprobs: true,
        stopAtEos: false,
      });
      const logprobs: number[] = [];
      for await (const token of stream) logprobs.push(token.logprob!);
      expect((await stream.done).ids).toEqual(greedy);
      expectNear("log-probabilities", logprobs, reference.greedy_logprobs, 5e-4);
      expectNear("prompt", await model.logprobs(reference.prompt_ids), reference.prompt_logprobs, 5e-4);
    });
  });
}

describe("other configurations", () => {
  const ids = [3, 1, 4, 1, 5, 9, 2, 6];
  const expectSame = async (directory: string, ranks: number) => {
    const one = await loadModel(directory);
    const split = await loadModel(directory, { tensorParallel: ranks });
    expectNear("logits", (await split.logits(ids)).data, (await one.logits(ids)).data, 2e-4);
  };

  it.each(["theta-500-full-rotary-tied-large-epsilon", "no-qk-layernorm"])("%s", (name) =>
    expectSame(join(repositoryRoot, "test", "fixtures", "configurations", name), 2),
  );

  it("a vocabulary that is no multiple of the ranks", async () => {
    const heads = { num_attention_heads: 4 };
    await expectSame(await tinyCheckpoint({ ...heads, vocab_size: 311 }), 2);
    await expectSame(await tinyCheckpoint({ ...heads, vocab_size: 313 }), 4);
  });

  it("rows of ids that a file leaves out", async () => {
    const directory = await tinyCheckpoint({ num_attention_heads: 4, dropped_token_ids: [100, 200] });
    const one = (await (await loadModel(directory)).logits(ids)).data;
    const four = (await (await loadModel(directory, { tensorParallel: 4 })).logits(ids)).data;
    expect(four.filter((value) => value === -Infinity).length).toBe(100 * ids.length);
    // What is minus infinity in one is so in the other, or the difference is no number near 0.
    const numbers = (values: Float32Array) => values.map((value) => (value === -Infinity ? -1e9 : value));
    expectNear("logits", numbers(four), numbers(one), 2e-4);
  });
});

describe("ranks", () => {
  const heads = { num_attention_heads: 4 };

  it.each([2, 4])("all of %i have the same bits, for prompts and in plans", async (tensorParallel) => {
    const model = await loadModel(await tinyCheckpoint(heads), { tensorParallel });
    const others = otherLogits();
    const sequence = model.kv.createSequence();
    for (let step = 0; step < 5; step++) {
      const ids = step === 0 ? prompt : [20 + step];
      const tensor = await model.runtime.forward([{ sequence, ids, logits: "all" }], { step });
      const own = await tensor.data();
      tensor.release();
      const found = await Promise.all(others.splice(0));
      expect(found.length).toBe(tensorParallel - 1);
      for (const logits of found) expect(logits).toEqual(own);
    }
    expect(model.plan().describe()).toMatch(/1 segment, 0 breaks/);
    sequence.release();
  });

  it("replay plans, with the bits of passes without one and with a cut at every site", async () => {
    const model = await loadModel(await tinyCheckpoint(heads), { tensorParallel: 2 });
    const text = async (options: object) => {
      const stream = model.generate(prompt, {
        maxNewTokens: 12,
        stopAtEos: false,
        logprobs: true,
        ...options,
      });
      const logprobs: number[] = [];
      for await (const token of stream) logprobs.push(token.logprob!);
      return { ids: (await stream.done).ids, logprobs };
    };
    const planned = await text({});
    expect(await text({ capture: false })).toEqual(planned);
    expect(await text({ breakEverywhere: true })).toEqual(planned);
    expect(await text({})).toEqual(planned);
  });

  it("run batches, forks of a sequence and several models at a time", async () => {
    const directory = await tinyCheckpoint(heads);
    const load = (options: LoadOptions) => loadModel(directory, options);
    const [one, two, again] = await Promise.all([
      load({}),
      load({ tensorParallel: 2 }),
      load({ tensorParallel: 2 }),
    ]);
    const prompts = [prompt, [5, 6], prompt.slice(0, 4), [270, 271, 272]];
    const batch = (model: LanguageModel) =>
      model.generateBatch(prompts, { maxNewTokens: 10, stopAtEos: false });
    const wanted = (await batch(one)).map(({ ids }) => ids);
    const both = await Promise.all([batch(two), batch(again)]);
    for (const found of both) expect(found.map(({ ids }) => ids)).toEqual(wanted);

    const forked = async (model: LanguageModel) => {
      using sequence = await model.prefill(prompt);
      using fork = sequence.fork();
      const texts = [];
      for (const kv of [sequence, fork]) {
        const options = { kv, maxNewTokens: 40, stopAtEos: false, bos: false };
        texts.push((await model.generate([texts.length + 7], options).done).ids);
      }
      return texts;
    };
    expect(await forked(two)).toEqual(await forked(one));
  });

  it("divide the weights, the cache and the threads", async () => {
    const directory = await tinyCheckpoint(heads);
    const one = await loadModel(directory);
    const four = await loadModel(directory, { tensorParallel: 4, threads: 8 });
    expect(four.device.threads).toBe(2);
    expect(four.kv.bytesPerToken).toBe(one.kv.bytesPerToken / 4);
    const { selfAttn, mlp } = four.layers[0];
    expect(selfAttn.queryKeyValue.weight.shape).toEqual([24, 32]);
    expect(selfAttn.dense.weight.shape).toEqual([32, 8]);
    expect(mlp.denseHTo4h.weight.shape).toEqual([16, 32]);
    expect(mlp.dense4hToH.weight.shape).toEqual([32, 16]);
    expect(mlp.dense4hToH.weight.isColumnMajor).toBe(true);
    // Norms, and biases that are added to sums, are on every rank.
    expect(four.weightBytes).toBeGreaterThan(one.weightBytes);
    expect(four.weightBytes).toBeLessThan(1.1 * one.weightBytes);
  });
});

describe("types of weights and of the cache", () => {
  // Sums are added in another order. Activations in front of int8 and int4 weights are rounded to 8 bits in the same groups of
  // 32, and with this seed none of them lies so close to the middle of two steps that it goes to the other one.
  const sizes = { hidden_size: 128, num_attention_heads: 4, intermediate_size: 256 };
  it.each<LoadOptions>([
    { dtype: "bfloat16" },
    { dtype: "int8" },
    { dtype: "int4" },
    { dtype: "int8", skipZeros: false },
    { dtype: "int4", skipZeros: false },
    { dtype: "float32", skipZeros: false, kvDtype: "bfloat16" },
    { dtype: "bfloat16", kvDtype: "int8" },
  ])("%j: 2 and 4 ranks give what 1 gives", async (options) => {
    const directory = await tinyCheckpoint(sizes, 8);
    const one = await loadModel(directory, options);
    const wanted = await one.logits(prompt);
    const text = (model: LanguageModel) => model.generate(prompt, { maxNewTokens: 8, stopAtEos: false }).done;
    for (const tensorParallel of [2, 4]) {
      const model = await loadModel(directory, { ...options, tensorParallel });
      expect(model.dtype).toBe(one.dtype);
      expectNear("logits", (await model.logits(prompt)).data, wanted.data, 1e-3);
      expect((await text(model)).ids).toEqual((await text(one)).ids);
    }
  });
});

import { beforeAll, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import type { BatchEntry } from "../../src/runtime/batch.js";
import { type FixtureReference, readFixture } from "../support/fixtures.js";
import { sharedOrSkip } from "../support/shared.js";
import { expectSameBits } from "../tensor/ops/on_device.js";

sharedOrSkip("reference/head64", "700-token prompts in batches, forks and chunks", (directory) => {
  let model: LanguageModel;
  let reference: FixtureReference;
  let prompt: number[];
  beforeAll(async () => {
    model = await loadModel(directory);
    ({ reference } = readFixture(directory));
    prompt = reference.prompt_ids;
  });

  /** Logits of all positions of one sequence, put in by chunks of the given sizes (the last takes the rest). */
  async function chunked(
    ids: readonly number[],
    sizes: readonly number[],
    sequence = model.kv.createSequence(),
  ) {
    const parts: Float32Array[] = [];
    let start = 0;
    for (const size of [...sizes, ids.length]) {
      const chunk = ids.slice(start, start + size);
      start += chunk.length;
      if (chunk.length === 0) break;
      using logits = await model.runtime.forward([{ sequence, ids: chunk, logits: "all" }]);
      parts.push(logits.dataSync());
    }
    sequence.release();
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  const greedy = async (ids: readonly number[]) =>
    (await model.generate(ids, { maxNewTokens: 32, stopAtEos: false }).done).ids;

  it("any chunks of a prompt give the bits of one pass", async () => {
    const whole = await chunked(prompt, []);
    for (const sizes of [[1], [699], [31, 33], [32, 32, 32], [512], [1, 1, 1, 1, 250], [64, 128, 256]]) {
      expectSameBits(await chunked(prompt, sizes), whole);
    }
    expectSameBits((await model.logits(prompt)).data, whole);
    // Token by token, as decoding goes.
    expectSameBits(await chunked(prompt.slice(0, 120), new Array(119).fill(1)), whole.slice(0, 120 * 1000));
  });

  it("a batch of equal prompts: every row has the ids of Hugging Face", async () => {
    const rows = await model.generateBatch([prompt, prompt], { maxNewTokens: 32, stopAtEos: false });
    for (const row of rows) expect(row.ids).toEqual(reference.greedy_ids);
  });

  it("a ragged batch: every row is bit-identical to the prompt alone", async () => {
    const prompts = [700, 1, 333, 32, 33, 64].map((length) => prompt.slice(0, length));
    const sequences = prompts.map(() => model.kv.createSequence());
    const batch: BatchEntry[] = prompts.map((ids, row) => ({ sequence: sequences[row], ids, logits: "all" }));
    using logits = await model.runtime.forward(batch);
    let at = 0;
    for (const [row, ids] of prompts.entries()) {
      expectSameBits(logits.rows(at, at + ids.length).dataSync(), await chunked(ids, []));
      at += ids.length;
      expect(sequences[row].length).toBe(ids.length);
    }
    // One decoding step of all of them, and prompts of different lengths in the same pass.
    const next: BatchEntry[] = prompts.map((_, row) => ({
      sequence: sequences[row],
      ids: row % 2 === 0 ? [5] : [6, 7, 8],
      logits: "last",
    }));
    using after = await model.runtime.forward(next);
    for (const [row, ids] of prompts.entries()) {
      const alone = await chunked([...ids, ...next[row].ids], [ids.length]);
      expectSameBits(after.rows(row, row + 1).dataSync(), alone.slice(-1000));
    }
    for (const sequence of sequences) sequence.release();
    const generated = await model.generateBatch(prompts, { maxNewTokens: 12, stopAtEos: false });
    for (const [row, ids] of prompts.entries()) {
      expect(generated[row].ids).toEqual((await greedy(ids)).slice(0, 12));
    }
    expect(generated[0].ids).toEqual(reference.greedy_ids.slice(0, 12));
  });

  it("forks of a prefix go on as if each had run alone", async () => {
    using prefix = await model.prefill(prompt.slice(0, 650));
    const run = async (rest: number[]) => {
      using kv = prefix.fork();
      return (await model.generate(rest, { kv, maxNewTokens: 32, stopAtEos: false }).done).ids;
    };
    const rest = prompt.slice(650);
    const other = [...rest].reverse();
    expect(await run(rest)).toEqual(reference.greedy_ids);
    expect(await run(other)).toEqual(await greedy([...prompt.slice(0, 650), ...other]));
    // The prefix is as it was.
    expect(await run(rest)).toEqual(reference.greedy_ids);
    expect(prefix.length).toBe(650);
    expectSameBits(await chunked(rest, [], prefix.fork()), (await chunked(prompt, [])).slice(650 * 1000));
  });

  it("a truncated sequence goes on as if it had never been longer", async () => {
    const sequence = await model.prefill([...prompt.slice(0, 600), ...new Array(90).fill(3)]);
    sequence.truncate(600);
    const { ids } = await model.generate(prompt.slice(600), {
      kv: sequence,
      maxNewTokens: 32,
      stopAtEos: false,
    }).done;
    expect(ids).toEqual(reference.greedy_ids);
    // It holds all but the last generated token, which the model has not seen.
    expect(sequence.length).toBe(700 + 31);
    sequence.release();
  });

  it("a conversation goes on in one sequence as in one long prompt", async () => {
    using kv = model.kv.createSequence();
    const first = await model.generate(prompt.slice(0, 100), { kv, maxNewTokens: 8, stopAtEos: false }).done;
    const last = first.ids.at(-1)!;
    const rest = prompt.slice(100, 140);
    const second = await model.generate([last, ...rest], { kv, maxNewTokens: 8, stopAtEos: false }).done;
    const whole = [...prompt.slice(0, 100), ...first.ids, ...rest];
    expect(second.ids).toEqual((await greedy(whole)).slice(0, 8));
  });

  it("log-probabilities across the borders of chunks: 513 tokens, and 1 token", async () => {
    const scores = await model.logprobs(prompt.slice(0, 513));
    expect(scores).toHaveLength(512);
    expectSameBits(scores.data, (await model.logprobs(prompt)).data.slice(0, 512));
    expect(await model.logprobs([5])).toHaveLength(0);
  });
});

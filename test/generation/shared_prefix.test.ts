import { afterEach, beforeAll, expect, it, vi } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { RandomValues } from "../support/random_values.js";
import { tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint({ max_position_embeddings: 1024 }));
});
afterEach(() => vi.restoreAllMocks());

const freePages = () => (model.kv as unknown as { freePages: number[] }).freePages.length;
const random = new RandomValues(31);
const randomIds = (count: number) =>
  Array.from({ length: count }, () => random.integer(tinyConfig.vocab_size));
const options = { temperature: 0.8, seed: 4, maxNewTokens: 6, stopAtEos: false, logprobs: true };

/** Tokens of all forward passes of step 0 while `run` runs. */
async function promptTokens<T>(run: () => Promise<T>): Promise<{ result: T; tokens: number }> {
  const forward = vi.spyOn(model.runtime, "forward");
  const result = await run();
  const { calls } = forward.mock;
  forward.mockRestore();
  const prompts = calls.filter(([, settings]) => !settings?.step);
  const tokens = prompts.flatMap(([batch]) => batch).reduce((sum, { ids }) => sum + ids.length, 0);
  return { result, tokens };
}

async function expectAsAlone(prompts: number[][], wantedTokens: number) {
  const { result, tokens } = await promptTokens(() => model.generateBatch(prompts, options));
  expect(tokens).toBe(wantedTokens);
  for (const [row, prompt] of prompts.entries()) {
    const alone = await model.generate(prompt, { ...options, seed: options.seed + row }).done;
    expect(result[row]).toEqual(alone);
  }
}

it.each([128, 200, 513, 700])("%i tokens that all prompts begin with are computed once", async (length) => {
  const prefix = randomIds(length);
  const before = freePages();
  await expectAsAlone(
    // The first tokens after the prefix differ, so that it is exactly as long.
    [0, 1, 2].map((row) => [...prefix, row, ...randomIds(3 * row)]),
    length + 1 + 4 + 7,
  );
  expect(freePages()).toBe(before);
});

it("the last token of a prompt is run for each: equal prompts, and one that is the beginning of another", async () => {
  const prompt = randomIds(150);
  await expectAsAlone([prompt, prompt], 149 + 2);
  await expectAsAlone([[...prompt, 5, 6], prompt], 149 + 3 + 1);
});

it("less than 128 common tokens, one prompt alone, and different ones are computed as they are", async () => {
  const prefix = randomIds(127);
  await expectAsAlone(
    [0, 1].map((row) => [...prefix, row]),
    2 * 128,
  );
  await expectAsAlone([randomIds(300)], 300);
  await expectAsAlone(
    [
      [1, ...prefix, 1],
      [2, ...prefix, 2],
    ],
    2 * 129,
  );
});

it("a watch sees every prompt whole", async () => {
  const prefix = randomIds(140);
  let rows = 0;
  const watch = model.watch("layers.0.out", (x) => {
    rows += x.shape[0];
  });
  await model.generateBatch(
    [0, 1].map((row) => [...prefix, row]),
    { ...options, maxNewTokens: 1 },
  );
  watch.dispose();
  expect(rows).toBe(2 * 141);
});

it("an edit gives what it gives for each prompt alone", async () => {
  const prefix = randomIds(140);
  using _edit = model.edit("layers.1.out", (await import("../../src/research/edits.js")).edits.scale(0.5));
  await expectAsAlone(
    [0, 1].map((row) => [...prefix, row]),
    140 + 2,
  );
});

it("an interrupt in the common tokens ends all rows", async () => {
  const prefix = randomIds(900);
  const abort = new AbortController();
  const forward = model.runtime.forward.bind(model.runtime);
  vi.spyOn(model.runtime, "forward").mockImplementation((...args) => {
    abort.abort();
    return forward(...args);
  });
  const before = freePages();
  const rows = await model.generateBatch(
    [0, 1].map((row) => [...prefix, row]),
    { ...options, signal: abort.signal },
  );
  expect(rows.map(({ finish }) => finish)).toEqual(["interrupted", "interrupted"]);
  expect(freePages()).toBe(before);
});

import { beforeAll, expect, it } from "vitest";
import type { Generation } from "../../src/generation/token_stream.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

let model: LanguageModel;
// The context ends each continuation: after 30, 10 and 20 tokens.
const maxLength = 64;
const prompts = [34, 54, 44].map((length) => Array.from({ length }, (_, i) => 270 + (i % 7)));
const options = { maxNewTokens: 100, stopAtEos: false };
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint(), { maxLength });
});

it("is called for each prompt in the step in which it ends, with what the batch returns", async () => {
  let passes = 0;
  using _watch = model.watch("logits", () => passes++);
  const seen: [prompt: number, after: number][] = [];
  const given: Generation[] = [];
  const all = await model.generateBatch(prompts, {
    ...options,
    onFinished: (prompt, generation) => {
      seen.push([prompt, passes]);
      given[prompt] = generation;
    },
  });
  // The pass over the prompts gives the first token.
  expect(seen).toEqual([
    [1, 10],
    [2, 20],
    [0, 30],
  ]);
  expect(given).toEqual(all);
  expect(all.map(({ ids, finish }) => [ids.length, finish])).toEqual([
    [30, "length"],
    [10, "length"],
    [20, "length"],
  ]);
});

it("is told of those that were interrupted too, last", async () => {
  const stop = new AbortController();
  const seen: [prompt: number, finish: string, tokens: number][] = [];
  await model.generateBatch(prompts, {
    ...options,
    signal: stop.signal,
    onFinished: (prompt, { finish, ids }) => {
      seen.push([prompt, finish, ids.length]);
      stop.abort();
    },
  });
  // The step after the first end was begun already.
  expect(seen.map(([prompt, finish]) => [prompt, finish])).toEqual([
    [1, "length"],
    [0, "interrupted"],
    [2, "interrupted"],
  ]);
});

it("ends the batch by throwing, and the model is free for the next", async () => {
  const thrown = new Error("no room");
  const running = model.generateBatch(prompts, {
    ...options,
    onFinished: () => {
      throw thrown;
    },
  });
  await expect(running).rejects.toBe(thrown);
  expect(await model.generateBatch(prompts, options)).toHaveLength(3);
});

it("is among the options that a batch has, and a beginning of one text is not", async () => {
  const refusal = (given: object) => failureOf(model.generateBatch(prompts, given as never));
  expect(await refusal({ onfinished: () => {} })).toMatchInlineSnapshot(
    `"OPTION_UNKNOWN: generateBatch has no option "onfinished" (did you mean "onFinished"?); it has maxNewTokens, temperature, topK, topP, seed, stop, logprobs, signal, onProgress, bos, stopAtEos, capture, breakEverywhere, promptLookup, onFinished"`,
  );
  using kv = await model.prefill("a");
  expect(await refusal({ kv })).toMatch(/^OPTION_UNKNOWN: generateBatch has no option "kv"/);
});

it("must be a function", async () => {
  expect(await failureOf(model.generateBatch(prompts, { onFinished: 3 } as never))).toMatchInlineSnapshot(
    `"SAMPLING_INVALID: onFinished must be a function (prompt, generation) => …, got 3"`,
  );
  expect(await failureOf(model.generateBatch(prompts, null as never))).toMatch(/^SAMPLING_INVALID/);
});

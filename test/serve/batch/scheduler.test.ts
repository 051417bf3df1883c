import { beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import { loadModel } from "../../../src/load_model.js";
import type { RowRequest, RowResult } from "../../../src/serve/batch/row.js";
import { Scheduler } from "../../../src/serve/batch/scheduler.js";
import { failureOf } from "../../support/codes.js";
import { RandomValues } from "../../support/random_values.js";
import { tinyCheckpoint } from "../../support/tiny_checkpoint.js";
import { pagesInUse } from "../running_server.js";
import { rowRequest as row } from "./row_request.js";

const never = new AbortController().signal;
const limits = { batch: 16, queue: 256, kvTokens: 2048 };

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});

/** Prompts of all lengths, and every way to draw. */
function requests(count: number, vocabSize: number, seed: number): RowRequest[] {
  const random = new RandomValues(seed);
  const whole = (most: number) => random.integer(most);
  const shared = Array.from({ length: 200 }, () => whole(vocabSize));
  return Array.from({ length: count }, (_, index) => {
    // Some begin alike, so that keys and values are taken over from others.
    const own = Array.from({ length: 1 + whole(index % 5 === 0 ? 300 : 40) }, () => whole(vocabSize));
    const prompt = index % 3 === 0 ? [...shared.slice(0, 30 + whole(170)), ...own.slice(0, 20)] : own;
    const draw = [{}, { temperature: 1 }, { temperature: 0.7, topK: 5 }, { temperature: 1.3, topP: 0.8 }][
      index % 4
    ];
    const scores = [{}, { top: 0 }, { top: 3 }, { top: 2, scorePrompt: true }][Math.floor(index / 4) % 4];
    return row(prompt, { maxNewTokens: 1 + whole(40), ...draw, ...scores, seed: index });
  });
}

/** Each by itself, in a scheduler that has served nobody before. */
async function alone(from: LanguageModel, all: readonly RowRequest[]): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const request of all) {
    const scheduler = new Scheduler(from.generator(), limits);
    results.push(await scheduler.submit([request], never)[0]);
    await scheduler.close();
  }
  return results;
}

describe("a text does not depend on who else is served", () => {
  it.each(["auto", "bfloat16", "int8", "int4"] as const)("weights: %s", async (dtype) => {
    const from = await loadModel(await tinyCheckpoint({}, 11), { dtype });
    const all = requests(40, from.config.vocabSize, 5);
    const expected = await alone(from, all);
    const scheduler = new Scheduler(from.generator(), { ...limits, batch: 7 });
    // They come in groups while others are being made.
    const results: Promise<RowResult>[] = [];
    for (let start = 0; start < all.length; start += 4) {
      results.push(...scheduler.submit(all.slice(start, start + 4), never));
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    expect(scheduler.load.running).toBeGreaterThan(1);
    for (const [index, result] of (await Promise.all(results)).entries()) {
      expect(result, `request ${index}`).toEqual(expected[index]);
    }
    // Once more: what is known of the first time changes nothing.
    expect(await Promise.all(scheduler.submit(all, never))).toEqual(expected);
    expect(pagesInUse(from)).toBeGreaterThan(0);
    await scheduler.close();
    expect(pagesInUse(from)).toBe(0);
  });

  it("is the library's: ids, text and log-probabilities", async () => {
    const prompt = model.encodePrompt("the human and a");
    const scheduler = new Scheduler(model.generator(), limits);
    const [greedyText, drawn] = await Promise.all(
      scheduler.submit(
        [row(prompt, { top: 0 }), row(prompt, { temperature: 0.9, topK: 7, seed: 42, maxNewTokens: 60 })],
        never,
      ),
    );
    const expected = await model.generate(prompt, { maxNewTokens: 24, stopAtEos: false }).done;
    expect(greedyText).toMatchObject(expected);
    const scores = await model.logprobs([...prompt, ...expected.ids]);
    expect(greedyText.scores.map(({ logprob }) => logprob)).toEqual([...scores.slice(prompt.length - 1)]);
    const sampling = { temperature: 0.9, topK: 7, seed: 42, maxNewTokens: 60, stopAtEos: false };
    expect(drawn).toMatchObject(await model.generate(prompt, sampling).done);
    await scheduler.close();
  });
});

it("the most likely tokens are those of the log-softmax of the logits", async () => {
  const prompt = model.encodePrompt("the human and a");
  const scheduler = new Scheduler(model.generator(), limits);
  const [result] = await Promise.all(
    scheduler.submit([row(prompt, { top: 4, scorePrompt: true, maxNewTokens: 3 })], never),
  );
  const { data, shape } = await model.logits([...prompt, ...result.ids]);
  const width = shape[1];
  const scores = [...result.promptScores, ...result.scores];
  expect(scores).toHaveLength(prompt.length + 2);
  for (const [position, { id, logprob, top }] of scores.entries()) {
    const logits = [...data.slice(position * width, (position + 1) * width)];
    const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0));
    const ranked = logits
      .map((value, at) => ({ id: at, logprob: value - total }))
      .sort((a, b) => b.logprob - a.logprob);
    expect(id).toBe([...prompt, ...result.ids][position + 1]);
    expect(logprob).toBeCloseTo(logits[id] - total, 4);
    expect(top.map((one) => one.id)).toEqual(ranked.slice(0, 4).map((one) => one.id));
    for (const [rank, one] of top.entries()) expect(one.logprob).toBeCloseTo(ranked[rank].logprob, 4);
    for (const one of top) if (one.id === id) expect(one.logprob).toBe(logprob);
  }
  await scheduler.close();
});

it("a prompt of 500 tokens is scored in the same numbers whatever its chunks", async () => {
  const prompt = Array.from({ length: 500 }, (_, index) => 3 + ((index * 7) % 290));
  const scheduler = new Scheduler(model.generator(), limits);
  const others = Array.from({ length: 5 }, (_, index) => row([3 + index], { maxNewTokens: 60 }));
  const texts = scheduler.submit(others, never);
  const [scored] = scheduler.submit(
    [row(prompt, { top: 0, scorePrompt: true, maxNewTokens: 0 }), ...others],
    never,
  );
  const expected = await model.logprobs(prompt);
  expect((await scored).promptScores.map(({ logprob }) => logprob)).toEqual([...expected]);
  expect((await scored).ids).toEqual([]);
  await Promise.all(texts);
  await scheduler.close();
});

describe("places", () => {
  it("no more texts than the batch has places for, the others in order", async () => {
    const scheduler = new Scheduler(model.generator(), { ...limits, batch: 2 });
    const begun: number[] = [];
    let most = 0;
    const requests = Array.from({ length: 6 }, (_, index) =>
      row([3 + index], {
        maxNewTokens: 5,
        onPrompt: () => {
          begun.push(index);
          most = Math.max(most, scheduler.load.running);
        },
      }),
    );
    const all = scheduler.submit(requests, never);
    expect(scheduler.load).toEqual({ running: 0, waiting: 6 });
    await Promise.all(all);
    expect(most).toBe(2);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
    expect(scheduler.load).toEqual({ running: 0, waiting: 0 });
    await scheduler.close();
  });

  it("texts wait until the KV cache has room for them however long they become", async () => {
    const scheduler = new Scheduler(model.generator(), { ...limits, kvTokens: 512 });
    const long = Array.from({ length: 6 }, (_, index) =>
      row(Array(300).fill(3 + index), { maxNewTokens: 100 }),
    );
    const results = scheduler.submit(long, never);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, pagesInUse(model));
    }, 1);
    await Promise.all(results);
    clearInterval(watch);
    expect(most).toBeLessThanOrEqual(512 / 32 + 1);
    await scheduler.close();
    expect(pagesInUse(model)).toBe(0);
  });

  it("a text as long as the context has room where a cache has no more than that", async () => {
    const scheduler = new Scheduler(model.generator(), { ...limits, kvTokens: 512 });
    const [first] = scheduler.submit([row(Array(400).fill(5), { maxNewTokens: 1 })], never);
    await first;
    const [whole] = scheduler.submit([row(Array(500).fill(6), { maxNewTokens: 100 })], never);
    expect(await whole).toMatchObject({ finish: "length", ids: { length: 12 } });
    await scheduler.close();
  });

  it("a context of less than a page serves one text after the other", async () => {
    const tiny = await loadModel(await tinyCheckpoint(), { maxLength: 8 });
    const scheduler = new Scheduler(tiny.generator(), { ...limits, kvTokens: 8 });
    const results = await Promise.all(scheduler.submit([row([5, 6]), row([5, 6]), row([7])], never));
    expect(results.map(({ ids }) => ids.length)).toEqual([6, 6, 7]);
    expect(results[0]).toEqual(results[1]);
    await scheduler.close();
  });

  it("SERVER_BUSY when the queue is full, with a time to come again", async () => {
    const scheduler = new Scheduler(model.generator(), { ...limits, batch: 1, queue: 3 });
    const one = () => scheduler.submit([row([5])], never);
    const accepted = [one(), one(), one()].flat();
    expect(() => one()).toThrowError(
      expect.objectContaining({
        code: "SERVER_BUSY",
        status: 429,
        retryAfter: 4,
        message: "3 texts wait already, and the queue has room for 3: ask again later",
      }),
    );
    await Promise.all(accepted);
    // A request that alone is longer than the queue is served where nobody else waits.
    await Promise.all(
      scheduler.submit(
        Array.from({ length: 8 }, () => row([5])),
        never,
      ),
    );
    await scheduler.close();
  });
});

describe("what ends early", () => {
  let other: Promise<RowResult> | undefined;

  it("an aborted text leaves the batch, one that waits never enters it, and the others go on", async () => {
    const scheduler = new Scheduler(model.generator(), { ...limits, batch: 2 });
    const controller = new AbortController();
    const reason = new Error("gone");
    let tokens = 0;
    const onToken = () => {
      if (++tokens === 3) controller.abort(reason);
    };
    const [running] = scheduler.submit([row([5], { maxNewTokens: 500, onToken })], controller.signal);
    const [other] = scheduler.submit([row([6], { maxNewTokens: 30 })], never);
    const [waiting] = scheduler.submit([row([7])], controller.signal);
    await expect(running).rejects.toBe(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(tokens).toBeLessThan(6);
    const expected = await alone(model, [row([6], { maxNewTokens: 30 })]);
    expect(await other).toEqual(expected[0]);
    await scheduler.close();
    expect(pagesInUse(model)).toBe(0);
  });

  it("a pass that fails, fails for its texts alone, and the next ones are served", async () => {
    const scheduler = new Scheduler(model.generator(), limits);
    const isRunning = new Promise<void>((resolve) => {
      const onPrompt = () => resolve();
      other = scheduler.submit([row([6], { maxNewTokens: 100, onPrompt })], never)[0];
    });
    await isRunning;
    const failing = model.hook(
      "layers.0.mlp.act",
      () => {
        throw new Error("broken");
      },
      { phase: "prefill" },
    );
    const [first] = scheduler.submit([row([5])], never);
    expect(await failureOf(first)).toMatch(/^HOOK_FAILED: the hook at layers\.0\.mlp\.act threw: broken/);
    failing.dispose();
    expect((await other)?.ids).toHaveLength(100);
    const [second] = scheduler.submit([row([5])], never);
    expect((await second).ids).toHaveLength(24);
    await scheduler.close();
    expect(pagesInUse(model)).toBe(0);
  });

  it("NaN has no log-probability: ACTIVATION_NOT_FINITE for who asks for one", async () => {
    const scheduler = new Scheduler(model.generator(), limits);
    const broken = model.hook("logits", (x) => void x.data.fill(Number.NaN));
    const [scored, plain] = scheduler.submit([row([5, 6], { top: 1 }), row([5, 6])], never);
    expect(await failureOf(scored)).toMatch(/^ACTIVATION_NOT_FINITE: the model gives NaN/);
    await plain;
    broken.dispose();
    await scheduler.close();
  });
});

it("what has been run before is not run again", async () => {
  const scheduler = new Scheduler(model.generator(), limits);
  let prompts = 0;
  const counter = model.watch("embed.out", (_, at) => {
    if (at.phase === "prefill") prompts += at.positions.length;
  });
  const prompt = Array.from({ length: 300 }, (_, index) => 3 + (index % 100));
  const [first] = scheduler.submit([row(prompt, { maxNewTokens: 8 })], never);
  const { ids } = await first;
  expect(prompts).toBe(300);
  // The next turn of a conversation: 307 of its 310 tokens are known.
  const [next] = scheduler.submit([row([...prompt, ...ids, 9, 9], { maxNewTokens: 2 })], never);
  await next;
  expect(prompts).toBe(303);
  // Four texts for one prompt: it is run once, and its last token for each of the others.
  prompts = 0;
  const other = prompt.map((id) => id + 1);
  await Promise.all(
    scheduler.submit(
      [0, 1, 2, 3].map((seed) => row(other, { temperature: 1, seed })),
      never,
    ),
  );
  expect(prompts).toBe(303);
  counter.dispose();
  await scheduler.close();
  expect(pagesInUse(model)).toBe(0);
});

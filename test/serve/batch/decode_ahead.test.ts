import { beforeEach, describe, expect, it, vi } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import { loadModel } from "../../../src/load_model.js";
import type { RowRequest } from "../../../src/serve/batch/row.js";
import { Scheduler } from "../../../src/serve/batch/scheduler.js";
import { tinyCheckpoint } from "../../support/tiny_checkpoint.js";
import { pagesInUse } from "../running_server.js";
import { rowRequest as row } from "./row_request.js";

const never = new AbortController().signal;
const limits = { batch: 16, queue: 256, kvTokens: 2048 };

let model: LanguageModel;
beforeEach(async () => {
  model = await loadModel(await tinyCheckpoint());
});

/** Serves texts, all submitted at once. */
async function serve(requests: readonly RowRequest[]) {
  const scheduler = new Scheduler(model.generator(), limits);
  const results = await Promise.all(scheduler.submit(requests, never));
  await scheduler.close();
  return results;
}

/** The options of each pass that chose its tokens by itself while `run` ran. */
async function passesOf(run: () => Promise<unknown>) {
  const decode = vi.spyOn(model.runtime, "decode");
  const forward = vi.spyOn(model.runtime, "forward");
  await run();
  const goesOn = decode.mock.calls.map(([, , options]) => options.goesOn);
  const outside = forward.mock.calls.filter(([, options]) => options?.step === 1).length;
  vi.restoreAllMocks();
  return { goesOn, outside };
}

describe("texts that draw alike choose their tokens inside of the plan", () => {
  const draws = [{}, { temperature: 0.8, topK: 9, topP: 0.9 }, { temperature: 1, top: 0 }];
  it.each(draws)("and are what they are outside: %o", async (draw) => {
    const requests = [3, 4, 5].map((id, seed) => row([id, 270, 300], { ...draw, seed, maxNewTokens: 40 }));
    model.runtime.tokensInPlan = false;
    const expected = await serve(requests);
    model.runtime.tokensInPlan = true;
    expect(await serve(requests)).toEqual(expected);
    expect(expected[0].scores).toHaveLength(draw.top === 0 ? 40 : 0);
  });

  it("where the next pass is under way behind each but the last, and nothing is left of it", async () => {
    const { goesOn, outside } = await passesOf(() => serve([row([5], { maxNewTokens: 5 }), row([6])]));
    // The first token of each comes from its prompt. The second text goes on alone.
    const together = [true, true, true, false];
    expect(goesOn).toEqual([...together, ...Array(18).fill(true), false]);
    expect(outside).toBe(0);
    expect(pagesInUse(model)).toBe(0);
  });

  it("and not where one is to have the most likely tokens, or draws in another way", async () => {
    const mixed = () => serve([row([5], { maxNewTokens: 5 }), row([6], { temperature: 1, maxNewTokens: 5 })]);
    expect(await passesOf(mixed)).toEqual({ goesOn: [], outside: 4 });
    const top = () => serve([row([5], { maxNewTokens: 5, top: 2 })]);
    expect(await passesOf(top)).toEqual({ goesOn: [], outside: 4 });
  });
});

it("no pass is launched ahead of one that others wait to join", async () => {
  const { goesOn } = await passesOf(async () => {
    const scheduler = new Scheduler(model.generator(), { ...limits, batch: 1 });
    await Promise.all(
      scheduler.submit([row([5], { maxNewTokens: 4 }), row([6], { maxNewTokens: 4 })], never),
    );
    await scheduler.close();
  });
  expect(goesOn).toEqual([false, false, false, true, true, false]);
});

it("a text that joins is not kept waiting by the pass that the others would have had next", async () => {
  const drop = vi.spyOn(model.runtime, "dropAhead");
  const drops = { onToken: -1, onPrompt: -1 };
  const scheduler = new Scheduler(model.generator(), limits);
  const onPrompt = () => {
    drops.onPrompt = drop.mock.calls.length;
  };
  let joined: Promise<unknown> | undefined;
  const onToken = () => {
    if (joined !== undefined) return;
    drops.onToken = drop.mock.calls.length;
    [joined] = scheduler.submit([row([7], { maxNewTokens: 3, onPrompt })], never);
  };
  await Promise.all(scheduler.submit([row([5], { onToken })], never));
  await joined;
  expect(drops.onPrompt).toBe(drops.onToken + 1);
  await scheduler.close();
  vi.restoreAllMocks();
});

it("a text that ends keeps no page that it was to go on in", async () => {
  const drawn = { temperature: 1, seed: 3 };
  // A text whose token k, of an id that it has not had before, is drawn when its last page has just been filled.
  const found = async () => {
    for (let length = 44; length < 63; length++) {
      const prompt = Array.from({ length }, (_, index) => 3 + index);
      const [{ ids }] = await serve([row(prompt, drawn)]);
      const k = 64 - length;
      if (k < ids.length && ids.indexOf(ids[k]) === k) return { prompt, endId: ids[k] };
    }
    throw new Error("no such text");
  };
  const { prompt, endId } = await found();
  const pages = async (inPlan: boolean) => {
    model.runtime.tokensInPlan = inPlan;
    const seen: number[] = [];
    const onToken = () => seen.push(pagesInUse(model));
    const [ended] = await serve([
      row(prompt, { ...drawn, endIds: [endId] }),
      row([9], { ...drawn, maxNewTokens: 30, onToken }),
    ]);
    expect(ended.finish).toBe("eos");
    return seen.slice(-3);
  };
  // Of the first 64 / 32 that are kept for who goes on with the text, and one of the second.
  expect(await pages(false)).toEqual([3, 3, 3]);
  expect(await pages(true)).toEqual([3, 3, 3]);
});

import { beforeAll, describe, expect, it, vi } from "vitest";
import { generateBatch } from "../../src/generation/generate.js";
import { checkOptions } from "../../src/generation/options.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { edits } from "../../src/research/edits.js";
import type { DecodePlan } from "../../src/runtime/decode_plan.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";
import { testTokensInPlan } from "../support/tokens_in_plan_suite.js";

describe("tokens that are chosen inside of the plan", () => testTokensInPlan({ device: "cpu" }));

describe("the pass behind the one whose token is read", () => {
  const prompt = [1, 270, 300];
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(await tinyCheckpoint());
  });

  /** Passes that were launched when each token of a text became known, and how many of them were cancelled. */
  async function passesOf({ stop = "", onToken = (_count: number) => {} } = {}) {
    // Records the plan: from now on a pass is a replay.
    await model.generate(prompt, { maxNewTokens: 3, stopAtEos: false }).done;
    const { native } = model.runtime.plans.latest as DecodePlan;
    const replay = vi.spyOn(native, "replay").mockClear();
    const cancel = vi.spyOn(model.device.stream, "cancel").mockClear();
    const launched: number[] = [];
    // Each token has a letter, which is asked for when it is known.
    const push = () => {
      onToken(launched.push(replay.mock.calls.length));
      return "abcdefgh"[launched.length - 1];
    };
    const at = { ...model.generator(), decodeStream: () => ({ push, end: () => "" }) };
    using sequence = model.kv.createSequence();
    const sampling = checkOptions({ maxNewTokens: 8, stopAtEos: false, ...(stop !== "" && { stop }) });
    await generateBatch(at, [{ prompt, sequence, known: 0 }], sampling, new AbortController().signal, {});
    return { launched, cancelled: cancel.mock.calls.length };
  }

  it("is on the stream by then, and there is none behind the last", async () => {
    // The first token comes from the logits of the prompt.
    expect(await passesOf()).toEqual({ launched: [0, 2, 3, 4, 5, 6, 7, 7], cancelled: 0 });
  });

  it("is cancelled where a text ends before its time", async () => {
    expect(await passesOf({ stop: "d" })).toEqual({ launched: [0, 2, 3, 4], cancelled: 1 });
  });

  it("is cancelled where an edit changes, and comes again with that", async () => {
    using steer = model.edit("layers.0.out", edits.scale(1));
    const onToken = (count: number) => {
      if (count === 4) steer.scale = 2;
    };
    expect(await passesOf({ onToken })).toEqual({ launched: [0, 2, 3, 4, 6, 7, 8, 8], cancelled: 1 });
  });
});

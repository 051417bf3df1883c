import { beforeAll, describe, expect, it } from "vitest";
import { generateBatch } from "../../src/generation/generate.js";
import { checkOptions, type GenerateOptions } from "../../src/generation/options.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { native } from "../../src/native.js";
import type { GraphCounts } from "../../src/native_gpu.js";
import { edits } from "../../src/research/edits.js";
import { Device } from "../../src/tensor/device.js";
import { testAdvance } from "../support/advance_suite.js";
import { fakeNccl } from "../support/fake_nccl.js";
import { isGpuReal, onGpu } from "../support/other_addon.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";
import { testTokensInPlan } from "../support/tokens_in_plan_suite.js";

/** What a run of so many tokens costs beyond one of half as many, for each of the tokens. */
async function perToken(
  run: (tokens: number) => Promise<unknown>,
  device = Device.cuda(),
): Promise<Record<string, number>> {
  const costs: GraphCounts[] = [];
  await run(16);
  for (const tokens of [8, 16]) {
    const before = device.graphs();
    await run(tokens);
    costs.push(difference(device.graphs(), before));
  }
  const eight = Object.entries(difference(costs[1], costs[0]));
  return Object.fromEntries(eight.map(([name, count]) => [name, count / 8]));
}

function difference(after: GraphCounts, before: GraphCounts): GraphCounts {
  const names = Object.keys(after) as (keyof GraphCounts)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as never;
}

onGpu("tokens that a GPU chooses", () => {
  if (!isGpuReal) fakeNccl(2);
  const split = { device: "cuda", tensorParallel: 2 } as const;
  describe("between two passes", () => testAdvance(() => Device.cuda()));
  describe("give the same texts", () => testTokensInPlan({ device: "cuda" }));

  describe.skipIf(isGpuReal && native().gpuCount() < 2)("and two that share a model", () => {
    describe("give the same texts", () => testTokensInPlan(split));

    it("launch once each for a token, of which one copy comes back", async () => {
      const model = await loadModel(await tinyCheckpoint(), split);
      const only = { captured: 0, updated: 0, launched: 1, alone: 0, copiesIn: 0 };
      const run = (maxNewTokens: number) =>
        model.generate([1, 270, 300], { maxNewTokens, stopAtEos: false, logprobs: true }).done;
      expect(await perToken(run, Device.cuda(0))).toMatchObject({ ...only, copiesOut: 1 });
      expect(await perToken(run, Device.cuda(1))).toMatchObject({ ...only, copiesOut: 0 });
    });
  });

  describe("cost one launch and one copy each", () => {
    let model: LanguageModel;
    beforeAll(async () => {
      model = await loadModel(await tinyCheckpoint(), { device: "cuda" });
    });
    const prompts = [[1, 270, 300], [5]];

    it.each<[string, GenerateOptions]>([
      ["greedy", {}],
      ["with log-probabilities", { logprobs: true }],
      ["drawn", { temperature: 0.9, topK: 10, topP: 0.9, seed: 3, logprobs: true }],
    ])("%s, alone and in a batch", async (_, options) => {
      const only = { captured: 0, updated: 0, launched: 1, alone: 0, copiesIn: 0, copiesOut: 1 };
      const given = (maxNewTokens: number) => ({ ...options, maxNewTokens, stopAtEos: false });
      expect(await perToken((tokens) => model.generate(prompts[0], given(tokens)).done)).toMatchObject(only);
      expect(await perToken((tokens) => model.generateBatch(prompts, given(tokens)))).toMatchObject(only);
      using _edit = model.edit("layers.0.mlp.act", edits.scale(0.9));
      expect(await perToken((tokens) => model.generate(prompts[0], given(tokens)).done)).toMatchObject(only);
    });

    it("and more where tokens are chosen outside", async () => {
      model.runtime.tokensInPlan = false;
      const { launched, alone, copiesIn, copiesOut } = await perToken(
        (maxNewTokens) => model.generate(prompts[0], { maxNewTokens, stopAtEos: false, logprobs: true }).done,
      );
      model.runtime.tokensInPlan = true;
      expect({ launched, copiesOut }).toEqual({ launched: 1, copiesOut: 2 });
      expect(alone).toBeGreaterThan(1);
      expect(copiesIn).toBe(2);
    });

    it("have the next pass launched before one is read, one at most, and none behind the last", async () => {
      const start = model.device.graphs().launched;
      const launched: number[] = [];
      // Each token has a text of its own, which is asked for when the token is there.
      const push = () => {
        launched.push(model.device.graphs().launched - start);
        return "x";
      };
      const at = { ...model.generator(), decodeStream: () => ({ push, end: () => "" }) };
      using sequence = model.kv.createSequence();
      const sampling = checkOptions({ maxNewTokens: 10, stopAtEos: false });
      const row = { prompt: prompts[0], sequence, known: 0 };
      await generateBatch(at, [row], sampling, new AbortController().signal, {});
      // The first comes from the prompt's logits.
      expect(launched).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9, 9]);
    });

    it("throw away one launch at a stop that nobody could foresee", async () => {
      const { text } = await model.generate(prompts[0], { maxNewTokens: 12, stopAtEos: false }).done;
      const before = model.device.graphs().launched;
      const { ids } = await model.generate(prompts[0], {
        maxNewTokens: 30,
        stopAtEos: false,
        stop: text.slice(5, 8),
      }).done;
      // Of n tokens n - 1 have a pass of their own.
      expect(model.device.graphs().launched - before).toBe(ids.length - 1 + 1);
    });

    it("take no step anew when rows of a batch leave", async () => {
      const alone = await model.generateBatch(prompts, { maxNewTokens: 12, stopAtEos: false });
      const eos = alone[0].ids[5];
      const own = await loadModel(await tinyCheckpoint({ eos_token_id: eos }), { device: "cuda" });
      await own.generateBatch(prompts, { maxNewTokens: 12 });
      await own.generate(prompts[1], { maxNewTokens: 12 }).done;
      const before = own.device.graphs().launched;
      const texts = await own.generateBatch(prompts, { maxNewTokens: 12 });
      const lengths = texts.map(({ ids }) => ids.length).sort((a, b) => a - b);
      expect(lengths[0]).toBeLessThan(lengths[1]);
      const last = texts.some(({ finish, ids }) => finish === "eos" && ids.length === lengths[1]) ? 1 : 0;
      expect(own.device.graphs().launched - before).toBe(lengths[1] - 1 + last);
    });
  });
});

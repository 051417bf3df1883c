import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { generateBatch } from "../../src/generation/generate.js";
import { checkOptions } from "../../src/generation/options.js";
import { SeededRandom } from "../../src/generation/random.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { FollowerRuntime } from "../../src/parallel/parallel_runtime.js";
import type { TokenChoice } from "../../src/runtime/token_plan.js";
import * as ops from "../../src/tensor/ops/index.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";
import { testTokensInPlan } from "../support/tokens_in_plan_suite.js";

afterEach(() => vi.restoreAllMocks());

describe("tokens that are chosen inside of the plans of two ranks", () =>
  testTokensInPlan({ tensorParallel: 2 }));

type Follow = (...all: unknown[]) => Promise<void>;

describe("the passes of a split model", () => {
  const prompt = [1, 270, 300];
  const long = { maxNewTokens: 8, stopAtEos: false };
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(await tinyCheckpoint({ num_attention_heads: 4 }), { tensorParallel: 4 });
  });

  it("are on all ranks' streams before the token of the one before is read", async () => {
    await model.generate(prompt, long).done;
    const ahead = vi.spyOn(FollowerRuntime.prototype, "followAhead");
    const launched: number[] = [];
    const push = () => {
      launched.push(ahead.mock.calls.length);
      return "";
    };
    const at = { ...model.generator(), decodeStream: () => ({ push, end: () => "" }) };
    using sequence = model.kv.createSequence();
    const row = { prompt, sequence, known: 0 };
    await generateBatch(at, [row], checkOptions(long), new AbortController().signal, {});
    // One for each of three ranks; the first token comes from the logits of the prompt, and there is none behind the last.
    expect(launched).toEqual([0, 3, 6, 9, 12, 15, 18, 18]);
  });

  it("go on with the tokens of the first rank, whatever others would choose", async () => {
    const { ids: wanted } = await model.generate(prompt, long).done;
    using sequence = await model.prefill(prompt);
    let ranks = 0;
    const choice: TokenChoice = {
      signature: "another token on each rank but the last that records",
      choose(logits) {
        const ids = ops.argmax(logits);
        return {
          ids: ++ranks < 4 ? Tensor.from(logits.device, Int32Array.of(5 + ranks)) : ids,
          logprobs: undefined,
        };
      },
    };
    const random = new SeededRandom(1);
    const chosen = [wanted[0]];
    for (let step = 1; step < wanted.length; step++) {
      const rows = [{ sequence, id: chosen[step - 1], random }];
      const { ids } = await model.runtime.decode(rows, choice, { step, goesOn: step + 1 < wanted.length });
      random.next();
      chosen.push(ids[0]);
    }
    // All recorded once, the first rank last.
    expect(ranks).toBe(4);
    expect(chosen).toEqual(wanted);
  });

  it("report what fails on another rank, and the next text is whole", async () => {
    const { ids: wanted } = await model.generate(prompt, long).done;
    for (const name of ["followTokens", "followAhead"] as const) {
      const follower = FollowerRuntime.prototype as unknown as Record<string, Follow>;
      const original = follower[name];
      // As when the system has no memory for a tensor of that rank.
      vi.spyOn(follower, name).mockImplementationOnce(async function (this: unknown, ...all) {
        await original.apply(this, all);
        throw new Error(`${name} on purpose`);
      });
      expect(await failureOf(model.generate(prompt, long).done)).toContain(`${name} on purpose`);
      expect((await model.generate(prompt, long).done).ids).toEqual(wanted);
      vi.restoreAllMocks();
    }
  });

  it("report an op that fails on another rank's stream, in whichever pass", async () => {
    const { ids: wanted } = await model.generate(prompt, long).done;
    const follow = FollowerRuntime.prototype as unknown as {
      begin(key: { number: number; checksum: number }): void;
    };
    const { begin } = follow;
    for (const pass of [0, 1, 2, 5]) {
      let begun = 0;
      // A rank that is in another pass than the others: every collective of it fails.
      vi.spyOn(follow, "begin").mockImplementation(function (this: unknown, key) {
        begin.call(this, begun++ === 3 * pass ? { ...key, checksum: key.checksum + 1 } : key);
      });
      expect(await failureOf(model.generate(prompt, long).done)).toMatch(
        /^OP_FAILED: .*the ranks of a split model do different things/,
      );
      vi.restoreAllMocks();
      expect((await model.generate(prompt, long).done).ids).toEqual(wanted);
    }
  });

  it("that nobody asks for end on all ranks, and the text after is whole", async () => {
    const { ids: wanted } = await model.generate(prompt, long).done;
    for (let repeat = 0; repeat < 20; repeat++) {
      let tokens = 0;
      const stream = model.generate(prompt, { ...long, maxNewTokens: 400 });
      for await (const _ of stream) if (++tokens > repeat % 4) break;
      expect((await stream.done).finish).toBe("interrupted");
      expect((await model.generate(prompt, long).done).ids).toEqual(wanted);
    }
  });
});

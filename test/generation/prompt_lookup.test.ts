import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { GenerateOptions } from "../../src/generation/options.js";
import { PromptLookup } from "../../src/generation/prompt_lookup.js";
import type { Token } from "../../src/generation/token_stream.js";
import type { LanguageModel } from "../../src/language_model.js";
import { demoModelDirectory, loadModel } from "../../src/load_model.js";
import { edits } from "../../src/research/edits.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

describe("PromptLookup", () => {
  const guess = (ids: number[], most = 99, options = { tokens: 4, ngram: 3 }) =>
    new PromptLookup(ids, options).guess(most);

  it("guesses what followed the longest run of the last tokens", () => {
    // 1 2 3 is followed by 4; 2 3 alone, later, by 9.
    expect(guess([1, 2, 3, 4, 5, 6, 7, 8, 2, 3, 9, 1, 2, 3])).toEqual([4, 5, 6, 7]);
    expect(guess([7, 2, 3, 4, 5, 6, 8, 2, 3, 9, 1, 2, 3])).toEqual([9, 1, 2, 3]);
  });

  it("takes the latest place, and no more than there is and is of use", () => {
    expect(guess([1, 2, 3, 1, 2, 4, 1, 2])).toEqual([4, 1, 2]);
    expect(guess([1, 2, 3, 1, 2, 4, 1, 2], 1)).toEqual([4]);
    expect(guess([1, 2, 3, 1, 2, 4, 1, 2], 0)).toEqual([]);
  });

  it("has no guess where nothing repeats, or a single token does", () => {
    expect(guess([])).toEqual([]);
    expect(guess([1, 2, 3, 1])).toEqual([]);
  });

  it("pauses after wrong guesses, longer each time, and not after right ones", () => {
    const lookup = new PromptLookup([1, 2, 3, 1, 2], { tokens: 4, ngram: 3 });
    const pauses = [];
    for (const right of [0, 0, 0, 0, 0, 2, 0]) {
      let pause = 0;
      while (lookup.guess(9).length === 0) pause++;
      pauses.push(pause);
      lookup.checked(4, right);
    }
    expect(pauses).toEqual([0, 1, 3, 7, 15, 15, 0]);
    expect(lookup.counts).toEqual({ guessed: 28, right: 2 });
  });

  it("a guess is a part of the text that the last two tokens stand before", () => {
    const text = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(text, (ids) => {
        const found = guess(ids, 5);
        if (found.length === 0) return;
        const wanted = [...ids.slice(-2), ...found].join();
        expect(ids.some((_, at) => ids.slice(at, at + 2 + found.length).join() === wanted)).toBe(true);
      }),
    );
  });
});

async function collect(model: LanguageModel, prompt: string | readonly number[], options: GenerateOptions) {
  const stream = model.generate(prompt, options);
  const tokens: Token[] = [];
  for await (const token of stream) tokens.push(token);
  const { lookup, ...generation } = await stream.done;
  return { made: { tokens, ...generation }, lookup };
}

describe("promptLookup", () => {
  let demo: LanguageModel;
  let tiny: LanguageModel;
  beforeAll(async () => {
    [demo, tiny] = await Promise.all([loadModel(), tinyCheckpoint().then((path) => loadModel(path))]);
  });
  const repeating = "Tom had a red ball. Ben had a red ball. Tom had a red ball. Ben had a";
  const settings: [string, GenerateOptions][] = [
    ["greedy", {}],
    ["with a temperature", { temperature: 0.8, seed: 5 }],
    ["among few tokens", { temperature: 1.2, topK: 12, topP: 0.9, seed: 9 }],
    ["guessing far", { promptLookup: { tokens: 40, ngram: 2 } }],
    ["with a stop text", { stop: ["ball. Ben", "went"] }],
    ["past the end of the text", { stopAtEos: false, maxNewTokens: 90 }],
  ];

  it.each(settings)("%s: the same ids, texts and log-probabilities to the bit", async (_, options) => {
    const given = { maxNewTokens: 48, logprobs: true, ...options };
    for (const [model, prompt] of [
      [demo, repeating],
      [tiny, [1, 270, 300, 271, 280, 270, 300]],
    ] as const) {
      const plain = await collect(model, prompt, { ...given, promptLookup: false });
      const guessed = await collect(model, prompt, { promptLookup: true, ...given });
      expect(guessed.made).toEqual(plain.made);
      expect(plain.lookup).toBeUndefined();
      expect(guessed.lookup?.guessed).toBeGreaterThanOrEqual(guessed.lookup?.right ?? -1);
    }
  });

  it("makes the texts of transformers, and fewer passes than tokens: some guesses are right", async () => {
    const reference = JSON.parse(readFileSync(join(demoModelDirectory(), "reference.json"), "utf8"));
    let right = 0;
    for (const item of reference.prompts.slice(0, 20)) {
      const options = { maxNewTokens: item.max_new_tokens, promptLookup: true };
      const { made, lookup } = await collect(demo, item.prompt, options);
      expect(made.text).toBe(item.generated_text);
      right += lookup?.right ?? 0;
    }
    expect(right).toBeGreaterThan(20);
  });

  it("a row of a batch is what it is alone", async () => {
    const prompts = [repeating, "Once upon a time", "One day, Tom and Ben and Tom and Ben and"];
    const options = { maxNewTokens: 24, temperature: 0.5, seed: 3, promptLookup: true };
    const batch = await demo.generateBatch(prompts, options);
    for (const [index, prompt] of prompts.entries()) {
      const { lookup: _, ...row } = batch[index];
      const alone = await collect(demo, prompt, { ...options, seed: 3 + index, promptLookup: false });
      expect(row).toEqual({ text: alone.made.text, ids: alone.made.ids, finish: alone.made.finish });
    }
  });

  it("leaves a sequence as it would be without guesses, up to the end of the context", async () => {
    const lengths = [];
    for (const promptLookup of [false, true]) {
      using kv = demo.kv.createSequence();
      const first = await demo.generate(repeating, { kv, maxNewTokens: 9, promptLookup }).done;
      const then = await demo.generate(first.ids.slice(-1), { kv, maxNewTokens: 7, promptLookup }).done;
      lengths.push([kv.length, then.ids]);
    }
    expect(lengths[1]).toEqual(lengths[0]);
    const short = await loadModel(undefined, { maxLength: 40 });
    const ends = [];
    for (const promptLookup of [false, true]) {
      const { made } = await collect(short, repeating, { promptLookup, stopAtEos: false });
      ends.push([made.ids, made.finish]);
    }
    expect(ends[1]).toEqual(ends[0]);
    expect(ends[0][1]).toBe("length");
  });

  it("goes with edits, and is refused where someone would see wrong guesses", async () => {
    const generate = (promptLookup: boolean) =>
      collect(demo, repeating, { maxNewTokens: 20, promptLookup, logprobs: true });
    {
      using _edit = demo.edit("layers.1.out", edits.scale(0.7), { phase: "decode" });
      expect((await generate(true)).made).toEqual((await generate(false)).made);
    }
    using _watch = demo.watch("layers.1.out", () => {});
    expect(await failureOf(demo.generate("Tom", { promptLookup: true }).done)).toMatch(/^LOOKUP_OBSERVED/);
    await demo.generate("Tom", { maxNewTokens: 2 }).done;
  });

  it.each([
    [{ tokens: 0 }, /promptLookup\.tokens must be a whole number from 1 to 64, got 0/],
    [{ ngram: 1 }, /promptLookup\.ngram must be a whole number from 2 to 32, got 1/],
    [{ token: 4 }, /promptLookup must be true, false or an object .*"token"/],
    ["yes", /promptLookup must be true, false or an object/],
  ])("refuses %j", async (promptLookup, message) => {
    const failure = await failureOf(demo.generate("Tom", { promptLookup } as never).done);
    expect(failure).toMatch(/^SAMPLING_INVALID/);
    expect(failure).toMatch(message);
  });
});

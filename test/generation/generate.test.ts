import { beforeAll, describe, expect, it } from "vitest";
import type { GenerateOptions } from "../../src/generation/options.js";
import type { Token } from "../../src/generation/token_stream.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { RandomValues } from "../support/random_values.js";
import * as reference from "../support/reference_ops.js";
import { tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});

const prompt = [1, 270, 300, 271, 280];
const seeded = { temperature: 1, seed: 11, maxNewTokens: 24, stopAtEos: false };

async function collect(ids: readonly number[] | string, options: GenerateOptions) {
  const stream = model.generate(ids, options);
  const tokens: Token[] = [];
  for await (const token of stream) tokens.push(token);
  return { tokens, ...(await stream.done) };
}

/** Draws ids one by one by whole forward passes, with numbers from the library's own generator. */
async function naiveLogits(ids: readonly number[]): Promise<Float32Array> {
  const { data, shape } = await model.logits(ids);
  return data.slice((shape[0] - 1) * shape[1]);
}

describe("greedy", () => {
  it("takes the most likely id of a whole forward pass at every step", async () => {
    const { ids } = await collect(prompt, { maxNewTokens: 20, stopAtEos: false });
    expect(ids).toHaveLength(20);
    expect(new Set(ids).size).toBeGreaterThan(4);
    const before = [...prompt];
    for (const id of ids) {
      expect(id).toBe(reference.argmax(await naiveLogits(before), tinyConfig.vocab_size)[0]);
      before.push(id);
    }
  });

  it("log-probabilities are those of the unmodified logits, at any temperature", async () => {
    for (const temperature of [0, 0.7]) {
      const { ids, tokens } = await collect(prompt, { ...seeded, temperature, logprobs: true });
      const wanted = await model.logprobs([...prompt, ...ids]);
      for (const [i, token] of tokens.entries()) {
        expect(token.logprob).toBeCloseTo(wanted[prompt.length - 1 + i], 4);
      }
    }
    const { tokens } = await collect(prompt, { maxNewTokens: 2 });
    expect(tokens.every((token) => !("logprob" in token))).toBe(true);
  });
});

describe("sampling", () => {
  it("a seed gives the same ids again; another seed or none gives others", async () => {
    const first = await collect(prompt, seeded);
    expect((await collect(prompt, seeded)).ids).toEqual(first.ids);
    expect((await collect(prompt, { ...seeded, seed: 12 })).ids).not.toEqual(first.ids);
    const { seed: _, ...unseeded } = seeded;
    expect((await collect(prompt, unseeded)).ids).not.toEqual((await collect(prompt, unseeded)).ids);
  });

  it("does not depend on the number of threads", async () => {
    const [one, two] = await Promise.all([1, 2].map(async (threads) => loadModel(model.source, { threads })));
    const ids = async (m: LanguageModel) => (await m.generate(prompt, seeded).done).ids;
    expect(await ids(one)).toEqual(await ids(two));
  });

  it.each([
    { temperature: 1, topK: 0, topP: 0 },
    { temperature: 0.5, topK: 5, topP: 0 },
    { temperature: 2, topK: 0, topP: 0.6 },
    { temperature: 1.5, topK: 8, topP: 0.7 },
  ])("2,000 seeds follow the reference distribution: %o", async (sampling) => {
    const wanted = reference.samplingDistribution(await naiveLogits(prompt), sampling);
    const counts = new Float64Array(wanted.length);
    const draws = 2000;
    // Rows of a batch have seeds of their own: as many draws, far fewer forward passes.
    for (let seed = 0; seed < draws; seed += 50) {
      const prompts = new Array<number[]>(50).fill(prompt);
      for (const { ids } of await model.generateBatch(prompts, { ...sampling, seed, maxNewTokens: 1 })) {
        counts[ids[0]]++;
      }
    }
    // χ² over the ids that are expected at least 5 times, the others together.
    let chi = 0;
    let degrees = -1;
    let [rest, expected] = [0, 0];
    for (const [id, probability] of wanted.entries()) {
      if (probability === 0) expect(counts[id]).toBe(0);
      if (probability * draws < 5) {
        rest += counts[id];
        expected += probability * draws;
      } else {
        chi += (counts[id] - probability * draws) ** 2 / (probability * draws);
        degrees++;
      }
    }
    if (expected > 5) {
      chi += (rest - expected) ** 2 / expected;
      degrees++;
    }
    // Five standard deviations above the mean of the χ² distribution; the seeds are fixed, so this never flickers.
    expect(chi).toBeLessThan(degrees + 5 * Math.sqrt(2 * Math.max(degrees, 1)) + 1e-9);
  });

  it("a row of a batch is the same prompt alone with the row's seed", async () => {
    const random = new RandomValues(9);
    const prompts = Array.from({ length: 5 }, (_, i) =>
      Array.from({ length: 1 + 7 * i }, () => random.integer(tinyConfig.vocab_size)),
    );
    const batch = await model.generateBatch(prompts, seeded);
    for (const [row, ids] of prompts.entries()) {
      const alone = await collect(ids, { ...seeded, seed: seeded.seed + row });
      expect(batch[row]).toEqual({ text: alone.text, ids: alone.ids, finish: alone.finish });
    }
  });
});

describe("text", () => {
  it("the texts of the tokens make up the text, which continues the prompt's", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { tokens, text, ids } = await collect(prompt, { ...seeded, seed, temperature: 1.5 });
      expect(tokens.map((token) => token.text).join("")).toBe(text);
      expect(tokens.map((token) => token.id)).toEqual(ids);
      const { tokenizer } = model;
      expect(tokenizer.decode(prompt) + text).toBe(tokenizer.decode([...prompt, ...ids]));
    }
  });

  it("ends before a stop text wherever token borders fall", async () => {
    const whole = (await collect(prompt, seeded)).text;
    for (let start = 1; start < whole.length; start += 3) {
      for (const length of [1, 2, 5]) {
        const stop = whole.slice(start, start + length);
        const { text, finish, tokens } = await collect(prompt, { ...seeded, stop });
        expect(text).toBe(whole.split(stop)[0]);
        expect(finish).toBe("stop");
        expect(tokens.map((token) => token.text).join("")).toBe(text);
      }
    }
  });
});

describe("a stop pattern", () => {
  it("ends the text as a stop text does, alone and in a batch", async () => {
    const whole = (await collect(prompt, seeded)).text;
    for (let start = 1; start < whole.length; start += 3) {
      const text = whole.slice(start, start + 3);
      const pattern = new RegExp(
        text.replace(/[^\p{L}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`),
        "u",
      );
      const byText = await collect(prompt, { ...seeded, stop: text });
      const byPattern = await collect(prompt, { ...seeded, stop: pattern });
      expect(byPattern).toMatchObject({ text: byText.text, ids: byText.ids, finish: "stop" });
      expect(byPattern.tokens.map((token) => token.text).join("")).toBe(byText.text);
      const [row] = await model.generateBatch([prompt], { ...seeded, stop: [pattern, "never there"] });
      expect(row.text).toBe(byText.text);
    }
  });
});

describe("the end", () => {
  it("maxNewTokens 0 makes nothing", async () => {
    expect(await collect(prompt, { maxNewTokens: 0 })).toEqual({
      tokens: [],
      text: "",
      ids: [],
      finish: "length",
    });
  });

  it("the context that is full ends with `length`", async () => {
    const small = await loadModel(model.source, { maxLength: 20 });
    const result = await small.generate(prompt, { maxNewTokens: 100, stopAtEos: false }).done;
    expect(result.finish).toBe("length");
    expect(result.ids).toHaveLength(20 - prompt.length);
    // As many as with all the room: the limit changes nothing before it.
    const free = await collect(prompt, { maxNewTokens: 15, stopAtEos: false });
    expect(result.ids).toEqual(free.ids);
    const full = await small.generate(new Array(20).fill(270), { maxNewTokens: 3 }).done;
    expect(full).toEqual({ text: "", ids: [], finish: "length" });
    // What a sequence holds already counts as well.
    using kv = await small.prefill(new Array(15).fill(270));
    const rest = await small.generate([271, 272], { kv, maxNewTokens: 100, stopAtEos: false }).done;
    expect(rest.finish).toBe("length");
    expect(rest.ids).toHaveLength(3);
  });

  it("any of several EOS ids ends it and stays among the ids, as in Hugging Face", async () => {
    const free = await collect(prompt, { maxNewTokens: 20, stopAtEos: false });
    const eos = free.ids[7];
    const at = free.ids.indexOf(eos);
    const many = await loadModel(await tinyCheckpoint({ eos_token_id: [2, eos, 5] }));
    expect(many.eosTokenIds).toEqual([2, eos, 5]);
    const stream = many.generate(prompt, { maxNewTokens: 20, logprobs: true });
    const tokens: Token[] = [];
    for await (const token of stream) tokens.push(token);
    const result = await stream.done;
    expect(result.finish).toBe("eos");
    expect(result.ids).toEqual(free.ids.slice(0, at + 1));
    expect(tokens.at(-1)).toMatchObject({ id: eos, text: "" });
    expect(tokens.at(-1)?.logprob).toBeTypeOf("number");
    const { tokenizer } = many;
    const before = free.ids.slice(0, at);
    expect(tokenizer.decode(prompt) + result.text).toBe(tokenizer.decode([...prompt, ...before]));
    const on = await many.generate(prompt, { maxNewTokens: 20, stopAtEos: false }).done;
    expect(on.ids).toEqual(free.ids);
  });

  it("rows of a batch end each at their own EOS", async () => {
    const prompts = [prompt, [...prompt, 265], [290]];
    const free = await model.generateBatch(prompts, { maxNewTokens: 20, stopAtEos: false });
    const eos = free[1].ids[3];
    const many = await loadModel(await tinyCheckpoint({ eos_token_id: eos }));
    const found = await many.generateBatch(prompts, { maxNewTokens: 20 });
    for (const [row, { ids, finish }] of found.entries()) {
      const at = free[row].ids.indexOf(eos);
      expect(ids).toEqual(at < 0 ? free[row].ids : free[row].ids.slice(0, at + 1));
      expect(finish).toBe(at < 0 ? "length" : "eos");
    }
  });
});

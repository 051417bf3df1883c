import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { defineTask } from "../../../src/evals/tasks/index.js";
import { type LanguageModel, loadModel } from "../../../src/index.js";
import { failureOf } from "../../support/codes.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";
import { linesOf } from "./support.js";

/** Made by fixtures/likelihood.py with transformers. */
const reference: {
  questions: { context: string; endings: { ending: string; tokens: number; logprob: number }[] }[];
} = JSON.parse(readFileSync(new URL("fixtures/likelihood.json", import.meta.url), "utf8"));

const directory = temporaryDirectory();
let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(undefined, { dtype: "float32" });
});

function taskOf(questions: readonly { context: string; endings: readonly string[]; given?: number[] }[]) {
  return defineTask<{ context: string; endings: readonly string[]; given?: number[] }>({
    name: "endings",
    items: questions.map((question, index) => ({ ...question, id: `q${index}` })),
    prompt: ({ context }) => context,
    gold: ({ endings }) => endings[0],
    likelihood: ({ context, endings, given }) => ({ context, endings, gold: 0, ...(given && { given }) }),
  });
}

async function score(questions: Parameters<typeof taskOf>[0], name: string, batchSize?: number) {
  const folder = `${directory}/${name}`;
  const options = { model, task: taskOf(questions), method: "likelihood", folder, progress: false } as const;
  await runEval({ ...options, ...(batchSize && { batchSize }) });
  const samples = linesOf(folder).map((line) => JSON.parse(line));
  return samples.sort((a, b) => (a.id < b.id ? -1 : 1));
}

describe("log-probabilities of endings", () => {
  const questions = reference.questions.map(({ context, endings }) => ({
    context,
    endings: endings.map(({ ending }) => ending),
  }));

  it("are those of transformers, each text by itself there and all in forks of shared beginnings here", async () => {
    const samples = await score(questions, "reference");
    for (const [index, { endings }] of reference.questions.entries()) {
      expect(samples[index].n_tokens).toEqual(endings.map(({ tokens }) => tokens));
      for (const [at, { logprob }] of endings.entries()) {
        expect(Math.abs(samples[index].logprobs[at] - logprob)).toBeLessThan(1e-3);
      }
    }
  });

  it("have the same bits however items are run together", async () => {
    const [together, alone] = [await score(questions, "together", 5), await score(questions, "one", 1)];
    expect(alone.map(({ logprobs }) => logprobs)).toEqual(together.map(({ logprobs }) => logprobs));
  });

  it("of texts longer than a pass are those of logprobs", async () => {
    const context = "Tom had a red ball. ".repeat(110).trim();
    const endings = [" Tom", ` ${"One day, Tom ran home. ".repeat(60).trim()}`];
    const [{ logprobs, n_tokens: tokens, n_prompt_tokens: known }] = await score(
      [{ context, endings }],
      "long",
    );
    for (const [at, ending] of endings.entries()) {
      const all = await model.logprobs(context + ending);
      expect(all.length + 1).toBe(known + tokens[at]);
      const wanted = all.data.slice(known - 1).reduce((sum, value) => sum + value, 0);
      expect(Math.abs(logprobs[at] - wanted)).toBeLessThan(1e-2);
    }
    expect(known).toBeGreaterThan(512);
  });

  it("leave out what is given, and divide by the bytes of what is scored", async () => {
    const [sample] = await score(
      [{ context: "Tom had a", endings: [" ball and ran home.", " 🍣 and ran home."], given: [5, 3] }],
      "given",
    );
    expect(sample.n_bytes).toEqual([14, 14]);
    expect(sample.n_tokens[0]).toBe(sample.n_tokens[1]);
    for (const [at, text] of ["Tom had a ball", "Tom had a 🍣"].entries()) {
      const all = await model.logprobs(`${text} and ran home.`);
      const before = model.encodePrompt(text).length;
      expect(sample.logprobs[at]).toBeCloseTo(
        all.data.slice(before - 1).reduce((sum, one) => sum + one, 0),
        3,
      );
    }
    const [whole] = await score([{ context: "Tom had a", endings: [" ball", " 🍣"] }], "bytes");
    expect(whole.n_bytes).toEqual([4, 4]);
  });

  it("the largest wins, of equal ones the first; by the byte another may", async () => {
    const [sample] = await score([{ context: "Tom had a", endings: [" dog", " dog", " xq zzv"] }], "ties");
    expect(sample).toMatchObject({ answer: 0, answer_norm: 0, gold: 0, correct: true, correct_norm: true });
    const [other] = await score(
      [
        {
          context: "Once upon",
          endings: [" a time, there was a little boy named Tom. He had a red ball.", " the"],
        },
      ],
      "norm",
    );
    expect(other).toMatchObject({ answer: 1, answer_norm: 0, correct: false, correct_norm: true });
  });

  it.each([
    [
      "one ending",
      { context: "a", endings: [" b"] },
      /^DATA_INVALID: .*item "q0": a likelihood needs two endings/,
    ],
    ["too long", { context: "a ".repeat(3000), endings: [" b", " c"] }, /^PROMPT_TOO_LONG: item "q0"/],
  ])("%s", async (name, question, message) => {
    expect(await failureOf(score([question], name))).toMatch(message);
  });
});

describe("a run by likelihood", () => {
  it("has the accuracies that the Python implementation found on the same items", async () => {
    // models/demo/README.md; 394 and 300 items.
    for (const [task, sum, perByte] of [
      ["arc-easy", 340, 337],
      ["winogrande", 168, 168],
    ] as const) {
      const model = await loadModel();
      const result = await runEval({ model, task, data: "demo", method: "likelihood", progress: false });
      expect([result.correct, result.summary.lenient?.correct]).toEqual([sum, perByte]);
      expect(result.manifest.shots).toBeNull();
      expect(String(result)).toMatch(/acc_norm \(per byte\)/);
    }
  });
});

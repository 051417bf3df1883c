import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { runEval } from "../../src/evals/run/run_eval.js";
import { type LanguageModel, loadModel } from "../../src/index.js";
import { repositoryRoot, sharedOrSkip } from "../support/shared.js";
import { temporaryDirectory } from "../support/tiny_checkpoint.js";
import { linesOf } from "./run/support.js";

interface Answer {
  id: string;
  shot_id: string;
  prompt_sha256: string;
  prompt_tokens: number;
  /** Up to the end of text, which is among them, or to the limit: they do not end where the answer does. */
  ids: number[];
  finish: string;
  answer_sha256: string;
  least_margin: number;
}

/** By EleutherAI's lm-eval and transformers: see scripts/reference/evals.py. */
const reference: {
  lm_eval: string;
  model_sha256: string;
  likelihood: { hellaswag: { id: string; logprobs: number[] }[] };
  generate: Record<"arc-easy" | "humaneval", { max_new_tokens: number; items: Answer[] }>;
} = JSON.parse(readFileSync(new URL("fixtures/likelihood_reference.json", import.meta.url), "utf8"));

const directory = temporaryDirectory();
let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(undefined, { dtype: "float32" });
});

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
const samplesOf = (folder: string) =>
  linesOf(folder)
    .map((line) => JSON.parse(line))
    .sort(byId);

describe("the reference of lm-eval", () => {
  it("was made with the weights that are there", () => {
    const weights = readFileSync(join(repositoryRoot, "models/demo/model.safetensors"));
    const found = createHash("sha256").update(weights).digest("hex");
    expect(found, "after a change of models/demo run scripts/reference/evals.py again").toBe(
      reference.model_sha256,
    );
  });
});

sharedOrSkip("eval-data/hellaswag", "likelihoods of HellaSwag, beside lm-eval", (data) => {
  it("are the same to 1e-3, and so is which ending is chosen", async () => {
    const wanted = [...reference.likelihood.hellaswag].sort(byId);
    const folder = `${directory}/hellaswag`;
    const run = { task: "hellaswag", split: "validation", method: "likelihood" } as const;
    await runEval({ model, ...run, data, limit: wanted.length, folder, progress: false });
    const samples = samplesOf(folder);
    expect(samples.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
    expect(wanted).toHaveLength(100);
    for (const [at, { logprobs }] of wanted.entries()) {
      expect(samples[at].logprobs).toHaveLength(logprobs.length);
      for (const [ending, logprob] of logprobs.entries()) {
        expect(Math.abs(samples[at].logprobs[ending] - logprob), samples[at].id).toBeLessThan(1e-3);
      }
      expect(samples[at].answer).toBe(logprobs.indexOf(Math.max(...logprobs)));
    }
  });
});

async function compareAnswers(task: "arc-easy" | "humaneval", data: string, split: string) {
  const { max_new_tokens: maxNewTokens, items } = reference.generate[task];
  const wanted = [...items].sort(byId);
  const folder = `${directory}/${task}`;
  const limit = wanted.length;
  await runEval({ model, task, data, split, limit, maxNewTokens, folder, execute: false, progress: false });
  const samples = samplesOf(folder);
  expect(samples.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
  for (const [
    at,
    { shot_id, prompt_sha256, prompt_tokens, ids, finish, answer_sha256 },
  ] of wanted.entries()) {
    const sample = samples[at];
    expect(sample).toMatchObject({ shot_id, prompt_sha256, n_prompt_tokens: prompt_tokens, finish });
    const generated: number[] = sample.generated_ids;
    expect(generated, sample.id).toEqual(ids.slice(0, generated.length));
    expect(createHash("sha256").update(sample.text, "utf8").digest("hex"), sample.id).toBe(answer_sha256);
  }
  return samples;
}

sharedOrSkip("eval-data/arc_easy", "answers to ARC-Easy, beside transformers", (data) => {
  it("are the same token by token, after the same prompts", async () => {
    expect(await compareAnswers("arc-easy", data, "validation")).toHaveLength(60);
  });
});

sharedOrSkip("eval-data/humaneval", "answers to HumanEval, beside transformers", (data) => {
  it("are the same token by token, after the same prompts", async () => {
    expect(await compareAnswers("humaneval", data, "test")).toHaveLength(10);
  });
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { demoModelDirectory, loadModel } from "../../src/load_model.js";

interface ReferencePrompt {
  prompt: string;
  prompt_ids: number[];
  generated_ids: number[];
  generated_text: string;
  finish: string;
  max_new_tokens: number;
  prompt_logprobs?: number[];
}

// Written by scripts/demo-model with Hugging Face transformers, in float32.
const reference = JSON.parse(readFileSync(join(demoModelDirectory(), "reference.json"), "utf8"));
const prompts: ReferencePrompt[] = reference.prompts;

describe("the bundled model against transformers", () => {
  it("gives the same ids and texts", async () => {
    const model = await loadModel();
    const eos = model.eosTokenIds[0];
    for (const item of prompts) {
      expect(model.encodePrompt(item.prompt)).toEqual(item.prompt_ids);
      const { ids, text, finish } = await model.generate(item.prompt, { maxNewTokens: item.max_new_tokens })
        .done;
      expect(ids.filter((id) => id !== eos)).toEqual(item.generated_ids);
      expect(text).toBe(item.generated_text);
      expect(finish).toBe(item.finish);
    }
  });

  it("gives the same log-probabilities", async () => {
    const model = await loadModel();
    const scored = prompts.filter((item) => item.prompt_logprobs !== undefined);
    expect(scored.length).toBeGreaterThanOrEqual(3);
    for (const item of scored) {
      const scores = await model.logprobs(item.prompt);
      expect(scores).toHaveLength(item.prompt_logprobs?.length ?? 0);
      for (const [i, score] of scores.entries())
        expect(Math.abs(score - (item.prompt_logprobs?.[i] ?? 0))).toBeLessThan(5e-4);
    }
  });
});

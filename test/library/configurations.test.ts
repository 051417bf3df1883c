import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadModel } from "../../src/load_model.js";
import { expectNear } from "../support/fixtures.js";
import { repositoryRoot } from "../support/shared.js";

/** Made by scripts/reference/random_checkpoints.py with the Hugging Face implementation. */
const directory = join(repositoryRoot, "test", "fixtures", "configurations");
const names = readdirSync(directory).filter((name) => !name.endsWith(".md"));

interface Reference {
  promptIds: number[];
  positions: number[];
  logits: number[][];
  promptLogprobs: number[];
  greedyIds: number[];
  maxNewTokens: number;
}

it("there are five", () => expect(names).toHaveLength(5));

describe.each(names)("configuration %s", (name) => {
  const path = join(directory, name);
  const reference: Reference = JSON.parse(readFileSync(join(path, "reference.json"), "utf8"));

  it.each(["auto", "float32"] as const)("agrees with Hugging Face in dtype %s", async (dtype) => {
    const model = await loadModel(path, { dtype });
    const { data, shape } = await model.logits(reference.promptIds);
    for (const [i, position] of reference.positions.entries()) {
      const row = data.subarray(position * shape[1], (position + 1) * shape[1]);
      expectNear(`logits at ${position}`, row, reference.logits[i], 5e-4);
    }
    const scores = await model.logprobs(reference.promptIds);
    expectNear("log-probabilities", scores, reference.promptLogprobs, 5e-4);
    const { maxNewTokens } = reference;
    const { ids, finish } = await model.generate(reference.promptIds, { maxNewTokens }).done;
    expect(ids).toEqual(reference.greedyIds);
    expect(finish).toBe(ids.length < maxNewTokens ? "eos" : "length");
  });
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { demoModelDirectory, loadModel } from "../../src/load_model.js";
import { readFixture } from "../support/fixtures.js";
import { sharedDirectory, sharedOrSkip } from "../support/shared.js";

/** How far logits are from others, and in how many rows the largest is another one. */
function compare(found: Float32Array, wanted: Float32Array, vocabSize: number) {
  let [largest, changed] = [0, 0];
  for (let row = 0; row < wanted.length; row += vocabSize) {
    let [best, bestWanted] = [row, row];
    for (let i = row; i < row + vocabSize; i++) {
      largest = Math.max(largest, Math.abs(found[i] - wanted[i]));
      if (found[i] > found[best]) best = i;
      if (wanted[i] > wanted[bestWanted]) bestWanted = i;
    }
    if (best !== bestWanted) changed++;
  }
  return { largest, changed, rows: wanted.length / vocabSize };
}

describe("what rounded keys and values change", () => {
  for (const name of ["tiny-f32", "tiny-bf16-sharded", "head64"]) {
    sharedOrSkip(`reference/${name}`, `fixture ${name}`, (directory) => {
      it.each(["bfloat16", "int8"] as const)(
        "%s: logits move less than twice as far as those of Hugging Face in bfloat16, and greedy text stays",
        async (kvDtype) => {
          const { reference } = readFixture(join(sharedDirectory, "reference", name));
          const { hf_bf16_vs_f32_max: allowed } = findNumbers(join(directory, "reference.json"));
          const [exact, rounded] = [await loadModel(directory), await loadModel(directory, { kvDtype })];
          const wanted = (await exact.logits(reference.prompt_ids)).data;
          const found = (await rounded.logits(reference.prompt_ids)).data;
          const { largest, changed, rows } = compare(found, wanted, exact.config.vocabSize);
          expect(largest).toBeLessThan(2 * allowed);
          expect(largest).toBeGreaterThan(0);
          expect(changed / rows).toBeLessThan(0.05);
          const options = { maxNewTokens: reference.greedy_ids.length, stopAtEos: false };
          const { ids } = await rounded.generate(reference.prompt_ids, options).done;
          expect(ids).toEqual(reference.greedy_ids);
        },
      );
    });
  }

  it("int8 on the demo model: perplexity within 0.1 %, and 99.5 % of the first choices", async () => {
    const held = readFileSync(join(demoModelDirectory(), "held-out.txt"), "utf8").split("|ENDOFTEXT|");
    const [exact, rounded] = [await loadModel(), await loadModel(undefined, { kvDtype: "int8" })];
    let [tokens, difference, changed] = [0, 0, 0];
    for (const text of held.slice(0, 12).filter((one) => one.trim() !== "")) {
      const [a, b] = [await nats(exact, text), await nats(rounded, text)];
      tokens += a.count;
      difference += b.total - a.total;
      changed += compare(
        (await rounded.logits(text)).data,
        (await exact.logits(text)).data,
        exact.config.vocabSize,
      ).changed;
    }
    expect(tokens).toBeGreaterThan(1000);
    expect(Math.abs(Math.expm1(difference / tokens))).toBeLessThan(0.001);
    expect(changed / tokens).toBeLessThan(0.005);
  });
});

async function nats(model: LanguageModel, text: string): Promise<{ total: number; count: number }> {
  const scores = await model.logprobs(text);
  return { total: -scores.total, count: scores.length };
}

/** The figures that reference.json has on itself. */
function findNumbers(path: string): { hf_bf16_vs_f32_max: number } {
  const found = /"hf_bf16_vs_f32_max": *([\d.]+)/.exec(readFileSync(path, "utf8"))?.[1];
  return { hf_bf16_vs_f32_max: Number(found) };
}

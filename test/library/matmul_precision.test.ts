import { describe, expect, it } from "vitest";
import { loadModel, randomModel } from "../../src/index.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const ids = Array.from({ length: 75 }, (_, i) => (i * 7919 + 17) % 260);
const greedy = { maxNewTokens: 20, stopAtEos: false };
const largest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

describe.each(["bfloat16", "int8", "int4"] as const)('matmulPrecision: "medium" with %s weights', (dtype) => {
  it("gives a token the bits it has in a prompt: alone, in a batch, after a fork, with breaks and drafts", async () => {
    const model = await loadModel(await tinyCheckpoint(), { dtype, matmulPrecision: "medium" });
    const alone = (await model.generate(ids, greedy).done).ids;
    const all = (await model.logits(ids)).data;
    const width = all.length / ids.length;
    expect((await model.logits(ids.slice(0, 40))).data).toEqual(all.slice(0, 40 * width));
    using start = await model.prefill(ids.slice(0, 45));
    using fork = start.fork();
    expect((await model.generate(ids.slice(45), { ...greedy, kv: fork }).done).ids).toEqual(alone);
    const [first, second] = await model.generateBatch([ids, ids.slice(3)], greedy);
    expect(first.ids).toEqual(alone);
    expect(second.ids).toEqual((await model.generate(ids.slice(3), greedy).done).ids);
    expect((await model.generate(ids, { ...greedy, breakEverywhere: true }).done).ids).toEqual(alone);
    expect((await model.generate(ids, { ...greedy, promptLookup: true }).done).ids).toEqual(alone);
  });

  it("changes logits a little, with bfloat16 weights on CPUs where rounding is faster", async () => {
    const folder = await tinyCheckpoint();
    const exact = await loadModel(folder, { dtype });
    const rounded = await loadModel(folder, { dtype, matmulPrecision: "medium" });
    const apart = largest((await exact.logits(ids)).data, (await rounded.logits(ids)).data);
    // Whole numbers are multiplied with activations of 8 bits in any case.
    if (dtype !== "bfloat16" || rounded.device.instructionSet !== "avx512-bf16") return expect(apart).toBe(0);
    // Logits are as large as 8, and bfloat16 keeps 8 binary digits.
    expect(apart).toBeGreaterThan(1e-4);
    expect(apart).toBeLessThan(0.2);
  });
});

describe("matmulPrecision", () => {
  it("leaves models in float32 alone", async () => {
    const folder = await tinyCheckpoint();
    const [exact, rounded] = [
      await loadModel(folder),
      await loadModel(folder, { matmulPrecision: "medium" }),
    ];
    expect((await rounded.logits(ids)).data).toEqual((await exact.logits(ids)).data);
  });

  it("is said by the device, also of random weights", () => {
    const shape = { hidden: 64, layers: 1, heads: 1, ffn: 64, vocab: 320 };
    const options = { maxLength: 64, threads: 1 };
    expect(randomModel(shape, options).device.matmulPrecision).toBe("highest");
    expect(randomModel(shape, { ...options, matmulPrecision: "medium" }).device.matmulPrecision).toBe(
      "medium",
    );
  });

  it("refuses other words", async () => {
    const wrong = loadModel(await tinyCheckpoint(), { matmulPrecision: "low" as "medium" });
    expect(await failureOf(wrong)).toBe(
      'OPTION_INVALID: matmulPrecision must be "highest" or "medium", got "low"',
    );
  });
});

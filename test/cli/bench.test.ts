import { describe, expect, it } from "vitest";
import { bytesRead, measure } from "../../src/cli/bench/measure.js";
import { parseShape } from "../../src/cli/bench.js";
import type { LanguageModel } from "../../src/language_model.js";
import { expectedTensors, parseConfig } from "../../src/model/config.js";
import { randomModel } from "../../src/random_model.js";

describe("persimmon bench", () => {
  it("counts the bytes of a token of Persimmon-8B", () => {
    // 8.32 B of 9.40 B weights are read per token: 16.65 GB in bfloat16; KV cache 576 KiB a token in bfloat16, twice
    // that in float32.
    const config = parseConfig({ max_position_embeddings: 16384 });
    const elements = [...expectedTensors(config).values()].map((shape) =>
      shape.reduce((product, size) => product * size, 1),
    );
    const parameters = elements.reduce((sum, count) => sum + count, 0);
    const model = {
      config,
      embedTokens: { weight: { byteLength: 2 * config.vocabSize * config.hiddenSize } },
      weightBytes: 2 * parameters,
      kv: { bytesPerToken: 2 * 576 * 1024 },
    } as unknown as LanguageModel;
    expect(parameters).toBe(9_397_175_296);
    expect(bytesRead(model, 0) / 1e9).toBeCloseTo(16.65, 2);
    expect(bytesRead(model, 1000) - bytesRead(model, 0)).toBe(1000 * 2 * 576 * 1024);
  });

  it("reads a shape", () => {
    expect(parseShape("hidden=4096,layers=4,heads=64,ffn=16384,vocab=32768")).toEqual({
      hidden: 4096,
      layers: 4,
      heads: 64,
      ffn: 16384,
      vocab: 32768,
    });
    expect(() => parseShape("hidden=4096,depth=4")).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: --shape takes hidden=N,layers=N,heads=N,ffn=N,vocab=N, got "depth=4"]`,
    );
    expect(() => parseShape("hidden=many")).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: --shape hidden must be a whole number from 1, got "many"]`,
    );
  });

  it("measures a model of random weights", async () => {
    const model = randomModel({ hidden: 128, layers: 2, heads: 2, ffn: 512, vocab: 256 }, { maxLength: 64 });
    const result = await measure(model, { prompt: 5, generate: 10, rounds: 2 });
    // About half of both down projections.
    expect(result.leftOutPerToken / (2 * 128 * 512 * 2)).toBeCloseTo(0.5, 1);
    for (const figure of Object.values(result)) {
      const values = typeof figure === "number" ? [figure] : Object.values(figure);
      for (const value of values as number[]) expect(value).toBeGreaterThan(0);
    }
  });

  it("does not count the bytes that zeros save", () => {
    const shape = { hidden: 128, layers: 2, heads: 2, ffn: 512, vocab: 256 };
    const [skipping, plain] = [true, false].map((skipZeros) =>
      randomModel(shape, { maxLength: 64, skipZeros }),
    );
    expect(bytesRead(skipping, 3)).toBe(bytesRead(plain, 3));
    expect(bytesRead(plain, 3, [0.5, 0.9])).toBe(bytesRead(plain, 3));
    expect(bytesRead(plain, 3) - bytesRead(skipping, 3, [0.5, 0.75])).toBe(1.25 * 128 * 512 * 2);
  });

  it("refuses weights that do not fit before it allocates any", () => {
    expect(() => randomModel({ layers: 9000 })).toThrow(
      expect.objectContaining({ code: "OUT_OF_MEMORY", message: expect.stringMatching(/GB as bfloat16/) }),
    );
  });
});

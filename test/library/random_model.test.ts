import { describe, expect, it } from "vitest";
import { randomModel } from "../../src/random_model.js";

const shape = { hidden: 64, layers: 1, heads: 1, ffn: 64, vocab: 32 };

describe("a model of random weights", () => {
  it("has room for keys and values of four texts, or of as many as asked for", () => {
    // Pages have 32 positions.
    expect(randomModel(shape, { maxLength: 64 }).kv.pageCount).toBe(4 * 2);
    expect(randomModel(shape, { maxLength: 64, kvContexts: 1 }).kv.pageCount).toBe(2);
  });

  it("takes longer texts than Persimmon-8B when asked", () => {
    const { config } = randomModel(shape, { maxLength: 20_000, kvContexts: 1 });
    expect(config.maxPositionEmbeddings).toBe(20_000);
  });

  it.each([0, 1.5, -1])("refuses room for %s texts", (kvContexts) => {
    expect(() => randomModel(shape, { kvContexts })).toThrow(
      expect.objectContaining({
        code: "OPTION_INVALID",
        message: `kvContexts must be a whole number from 1, got ${kvContexts}`,
      }),
    );
  });

  it("refuses a device that there is not", () => {
    const device = "tpu" as "cpu";
    expect(() => randomModel(shape, { device })).toThrow(
      expect.objectContaining({
        code: "DEVICE_UNAVAILABLE",
        message: 'device must be "auto", "cpu" or "cuda", got "tpu"',
      }),
    );
  });
});

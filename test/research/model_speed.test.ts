import { describe, expect, it } from "vitest";
import { jupyterDisplay } from "../../src/display/mime.js";
import type { LanguageModel } from "../../src/language_model.js";
import { expectedTensors, parseConfig } from "../../src/model/config.js";
import { randomModel } from "../../src/random_model.js";
import { bytesRead, modelSpeed } from "../../src/research/model_speed.js";
import { BandwidthProbe } from "../../src/tensor/bandwidth_probe.js";
import { Device } from "../../src/tensor/device.js";
import { codeOf } from "../support/codes.js";

describe("modelSpeed", () => {
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
      layers: [],
      weightBytes: 2 * parameters,
      kv: { bytesPerToken: 2 * 576 * 1024 },
    } as unknown as LanguageModel;
    expect(parameters).toBe(9_397_175_296);
    expect(bytesRead(model, 0) / 1e9).toBeCloseTo(16.65, 2);
    expect(bytesRead(model, 1000) - bytesRead(model, 0)).toBe(1000 * 2 * 576 * 1024);
  });

  it("measures a model of random weights", async () => {
    const model = randomModel({ hidden: 128, layers: 2, heads: 2, ffn: 512, vocab: 256 }, { maxLength: 64 });
    const speed = await modelSpeed(model, { prompt: 5, generate: 10, rounds: 2 });
    const { model: source, dtype, instructionSet, matmulPrecision, ...result } = speed.figures;
    expect([source.slice(0, 14), dtype, matmulPrecision]).toEqual(["random weights", "bfloat16", "highest"]);
    expect(JSON.parse(JSON.stringify(speed))).toEqual(speed.figures);
    // About half of both down projections.
    expect(result.leftOutPerToken / (2 * 128 * 512 * 2)).toBeCloseTo(0.5, 1);
    for (const figure of Object.values(result)) {
      const values = typeof figure === "number" ? [figure] : Object.values(figure);
      for (const value of values as number[]) expect(value).toBeGreaterThan(0);
    }
    const shown = speed[jupyterDisplay]();
    expect(shown["text/plain"]).toBe(speed.lines().join("\n"));
    expect(speed.lines()[0]).toContain(instructionSet);
    for (const name of ["decode", "prefill", "zeros", "bytes per token", "machine reads", "share"]) {
      expect(shown["text/html"]).toContain(`>${name}<`);
      expect(speed.lines().some((line) => line.startsWith(name))).toBe(true);
    }
  });

  it("does not count the bytes that zeros save", () => {
    const shape = { hidden: 128, layers: 2, heads: 2, ffn: 512, vocab: 256 };
    const [skipping, plain] = [true, false].map((skipZeros) =>
      randomModel(shape, { maxLength: 64, skipZeros }),
    );
    expect(bytesRead(skipping, 3)).toBe(bytesRead(plain, 3));
    expect(bytesRead(plain, 3) - bytesRead(skipping, 3, 1000)).toBe(1000);
  });

  it.each([10, 0, -4, Number.NaN, "x" as never])("a probe of %s bytes is refused", (bytes) => {
    expect(codeOf(() => new BandwidthProbe(Device.cpu(1), bytes))).toBe("OPTION_INVALID");
  });

  it.each([{ rounds: 0 }, { prompt: 1.5 }, { generate: "x" as never }])("refuses %o", async (options) => {
    const model = randomModel({ hidden: 128, layers: 1, heads: 2, ffn: 128, vocab: 64 }, { maxLength: 64 });
    await expect(modelSpeed(model, options)).rejects.toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
    await expect(modelSpeed(model, { tokens: 3 } as never)).rejects.toThrow(
      expect.objectContaining({ code: "OPTION_UNKNOWN" }),
    );
  });
});

import { describe, expect, it } from "vitest";
import { benchCommand, parseShape } from "../../src/cli/bench.js";
import { randomModel } from "../../src/random_model.js";

describe("persimmon bench", () => {
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

  it.each<[string, string[]]>([
    ["a comparison without a shape", ["--compare", "node-llama-cpp"]],
    ["a comparison of a model", ["models/demo", "--compare", "node-llama-cpp", "--shape", "layers=1"]],
    [
      "rounds of a comparison that are none",
      ["--compare", "node-llama-cpp", "--shape", "layers=1", "--rounds", "0"],
    ],
    [
      "a type that llama.cpp has not",
      ["--compare", "node-llama-cpp", "--shape", "layers=1", "--dtype", "float32"],
    ],
    ["zeros of a model, which has its own", ["--zeros", "0.9"]],
    ["a model beside a shape", ["models/demo", "--shape", "layers=1"]],
    ["a comparison on a GPU", ["--compare", "node-llama-cpp", "--shape", "layers=1", "--device", "cuda"]],
    ["predicted zeros of random weights", ["--shape", "layers=1", "--predict-zeros", "zeros.json"]],
    ["groups that are none", ["--compare", "node-llama-cpp", "--shape", "hidden=80"]],
    ["too few tokens for bytes", ["--compare", "node-llama-cpp", "--shape", "vocab=256"]],
    [
      "more tokens than llama.cpp is given",
      ["--compare", "node-llama-cpp", "--shape", "layers=1", "--prompt", "4000"],
    ],
  ])("refuses %s", async (_, args) => {
    await expect(benchCommand().parseAsync(args, { from: "user" })).rejects.toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });

  it("refuses weights that do not fit before it allocates any", () => {
    expect(() => randomModel({ layers: 9000 })).toThrow(
      expect.objectContaining({
        code: "OUT_OF_MEMORY",
        message: expect.stringMatching(/weights as bfloat16 3629.1 GB/),
      }),
    );
  });
});

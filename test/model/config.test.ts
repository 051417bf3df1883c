import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PersimmonError } from "../../src/errors.js";
import { expectedTensors, type PersimmonConfig, parseConfig } from "../../src/model/config.js";
import { sharedOrSkip } from "../support/shared.js";

const small = { model_type: "persimmon", hidden_size: 64, num_attention_heads: 4, intermediate_size: 256 };

function failure(json: unknown): PersimmonError {
  try {
    parseConfig(json, "there/config.json");
  } catch (error) {
    if (error instanceof PersimmonError) return error;
    throw error;
  }
  throw new Error("parseConfig accepted it");
}

// The expected values are what PersimmonConfig.from_dict and PersimmonRotaryEmbedding of transformers 5.18.0 gave for
// the same dictionaries.
describe("rope in every dialect, as transformers 5.18.0 reads it", () => {
  const cases: [string, Record<string, unknown>, number, number, number?][] = [
    // title, keys, theta, rotary dimensions of a head of 16, factor of linear scaling
    ["nothing said", {}, 10000, 8],
    ["top level theta", { rope_theta: 25000.0 }, 25000, 8],
    ["hub style with rope_scaling null", { rope_theta: 25000.0, rope_scaling: null }, 25000, 8],
    ["whole number theta", { rope_theta: 77 }, 77, 8],
    [
      "stale top-level factor loses",
      { partial_rotary_factor: 0.5, rope_parameters: { rope_theta: 123, partial_rotary_factor: 1 } },
      123,
      16,
    ],
    [
      "rope_parameters without factor",
      { rope_parameters: { rope_type: "default", rope_theta: 123 } },
      123,
      8,
    ],
    [
      "factor from the top level",
      { partial_rotary_factor: 0.25, rope_parameters: { rope_theta: 123 } },
      123,
      4,
    ],
    ["theta from the top level", { rope_theta: 77, rope_parameters: { rope_type: "default" } }, 77, 8],
    ["rope_parameters without theta", { rope_parameters: { rope_type: "default" } }, 10000, 8],
    ["empty rope_parameters", { rope_theta: 77, rope_parameters: {} }, 77, 8],
    ["null rope_parameters", { rope_theta: 77, rope_parameters: null }, 77, 8],
    ["linear by type", { rope_theta: 77, rope_scaling: { type: "linear", factor: 2 } }, 77, 8, 2],
    ["linear by rope_type", { rope_theta: 77, rope_scaling: { rope_type: "linear", factor: 2 } }, 77, 8, 2],
    [
      "rope_scaling replaces rope_parameters",
      {
        rope_theta: 77,
        rope_scaling: { rope_type: "linear", factor: 4 },
        rope_parameters: { rope_theta: 123 },
      },
      77,
      8,
      4,
    ],
    [
      "theta and factor inside rope_scaling",
      { rope_theta: 77, rope_scaling: { rope_type: "default", rope_theta: 99, partial_rotary_factor: 1 } },
      99,
      16,
    ],
    [
      "rope_type wins over type",
      { rope_theta: 77, rope_scaling: { type: "linear", rope_type: "default", factor: 2 } },
      77,
      8,
    ],
    ["full rotary at the top level", { rope_theta: 77, partial_rotary_factor: 1.0 }, 77, 16],
    ["0.3 of 16 is truncated to 4", { rope_theta: 77, partial_rotary_factor: 0.3 }, 77, 4],
    ["no rotary at all", { rope_theta: 77, partial_rotary_factor: 0 }, 77, 0],
  ];
  it.each(cases)("%s", (_title, keys, theta, dims, factor) => {
    const config = parseConfig({ ...small, ...keys });
    expect(config.ropeTheta).toBe(theta);
    expect(config.rotaryDims).toBe(dims);
    expect(config.ropeScaling).toEqual(factor === undefined ? undefined : { type: "linear", factor });
  });
});

describe("other keys", () => {
  it("has the class defaults of transformers 5.18.0", () => {
    expect(parseConfig({})).toEqual({
      vocabSize: 262144,
      hiddenSize: 4096,
      intermediateSize: 16384,
      numHiddenLayers: 36,
      numAttentionHeads: 64,
      headDim: 64,
      rotaryDims: 32,
      ropeTheta: 10000,
      ropeScaling: undefined,
      partialRotaryFactor: 0.5,
      maxPositionEmbeddings: 16384,
      layerNormEps: 1e-5,
      qkLayernorm: true,
      tieWordEmbeddings: false,
      hiddenAct: "relu2",
      bosTokenId: 1,
      eosTokenIds: [2],
      padTokenId: undefined,
      torchDtype: undefined,
    } satisfies PersimmonConfig);
  });

  it("takes eos as a number, a list or null, and a negative pad as none", () => {
    expect(parseConfig({ eos_token_id: 7 }).eosTokenIds).toEqual([7]);
    expect(parseConfig({ eos_token_id: [3, 4, 3] }).eosTokenIds).toEqual([3, 4]);
    expect(parseConfig({ eos_token_id: null, bos_token_id: null })).toMatchObject({
      eosTokenIds: [],
      bosTokenId: undefined,
    });
    expect(parseConfig({ pad_token_id: -1 }).padTokenId).toBeUndefined();
    expect(parseConfig({ pad_token_id: 0 }).padTokenId).toBe(0);
  });

  it("accepts dtype and torch_dtype, and prefers dtype", () => {
    expect(parseConfig({ torch_dtype: "bfloat16" }).torchDtype).toBe("bfloat16");
    expect(parseConfig({ dtype: "float16" }).torchDtype).toBe("float16");
    expect(parseConfig({ torch_dtype: "float16", dtype: "float32" }).torchDtype).toBe("float32");
  });

  it("ignores keys of other models", () => {
    const junk = {
      hidden_dropout: 0.6,
      rms_norm_eps: 1e-6,
      norm_eps: 1,
      num_key_value_heads: 3,
      pretraining_tp: 9,
    };
    expect(parseConfig({ ...small, ...junk })).toEqual(parseConfig(small));
  });
});

describe("what is refused", () => {
  const cases: [string, unknown, string, RegExp][] = [
    ["not an object", [1], "CONFIG_INVALID", /JSON object.*list/],
    ["another model", { model_type: "llama" }, "CONFIG_UNSUPPORTED", /model_type.*"persimmon".*"llama"/],
    ["another activation", { hidden_act: "gelu" }, "CONFIG_UNSUPPORTED", /hidden_act.*"relu2".*"gelu"/],
    [
      "a size as text",
      { hidden_size: "64" },
      "CONFIG_INVALID",
      /hidden_size.*whole number.*"64" \(a string\)/,
    ],
    ["a null size", { vocab_size: null }, "CONFIG_INVALID", /vocab_size.*null/],
    ["a fraction", { num_hidden_layers: 1.5 }, "CONFIG_INVALID", /num_hidden_layers.*1\.5/],
    ["zero", { intermediate_size: 0 }, "CONFIG_INVALID", /intermediate_size/],
    ["a negative size", { max_position_embeddings: -1 }, "CONFIG_INVALID", /max_position_embeddings.*-1/],
    ["an absurd size", { hidden_size: 2 ** 40 }, "CONFIG_INVALID", /hidden_size.*1048576/],
    ["an absurd depth", { num_hidden_layers: 1e9 }, "CONFIG_INVALID", /num_hidden_layers.*10000/],
    ["heads that do not divide", { hidden_size: 65, num_attention_heads: 4 }, "CONFIG_INVALID", /65 and 4/],
    ["another head_dim", { ...small, head_dim: 32 }, "CONFIG_INVALID", /head_dim.*16.*32/],
    [
      "three rotary dimensions",
      { ...small, partial_rotary_factor: 0.2 },
      "CONFIG_INVALID",
      /even.*0\.2.*16 is 3/,
    ],
    ["a factor above 1", { partial_rotary_factor: 2 }, "CONFIG_INVALID", /"partial_rotary_factor".*0 to 1/],
    ["a null factor", { partial_rotary_factor: null }, "CONFIG_INVALID", /partial_rotary_factor.*null/],
    ["theta 0", { rope_theta: 0 }, "CONFIG_INVALID", /"rope_theta".*greater than 0/],
    [
      "a null theta",
      { rope_parameters: { rope_theta: null } },
      "CONFIG_INVALID",
      /"rope_parameters.rope_theta"/,
    ],
    [
      "dynamic scaling",
      { rope_scaling: { type: "dynamic", factor: 2 } },
      "CONFIG_UNSUPPORTED",
      /"rope_scaling.type"/,
    ],
    [
      "yarn",
      { rope_parameters: { rope_type: "yarn" } },
      "CONFIG_UNSUPPORTED",
      /"rope_parameters.rope_type".*"yarn"/,
    ],
    [
      "linear without factor",
      { rope_scaling: { type: "linear" } },
      "CONFIG_INVALID",
      /rope_scaling.factor.*absent/,
    ],
    ["a rope list", { rope_scaling: [] }, "CONFIG_INVALID", /rope_scaling.*object or null/],
    ["a negative epsilon", { layer_norm_eps: -1 }, "CONFIG_INVALID", /layer_norm_eps/],
    ["epsilon as text", { layer_norm_eps: "1e-5" }, "CONFIG_INVALID", /layer_norm_eps.*"1e-5"/],
    ["a number for a flag", { qk_layernorm: 1 }, "CONFIG_INVALID", /qk_layernorm.*true or false/],
    ["eos as text", { eos_token_id: ["7"] }, "CONFIG_INVALID", /eos_token_id/],
    ["several bos", { bos_token_id: [1] }, "CONFIG_INVALID", /bos_token_id/],
    ["another number format", { torch_dtype: "float64" }, "CONFIG_UNSUPPORTED", /torch_dtype.*"float64"/],
  ];
  it.each(cases)("%s", (_title, json, code, message) => {
    const error = failure(json);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("there/config.json");
  });
});

describe("expectedTensors", () => {
  const config = parseConfig({ ...small, num_hidden_layers: 2, vocab_size: 512 });

  it("lists 16 tensors a layer and 4 around them", () => {
    const tensors = expectedTensors(config);
    expect(tensors.size).toBe(2 * 16 + 4);
    expect(tensors.get("model.layers.1.self_attn.query_key_value.weight")).toEqual([192, 64]);
    expect(tensors.get("model.layers.1.self_attn.query_key_value.bias")).toEqual([192]);
    expect(tensors.get("model.layers.0.mlp.dense_h_to_4h.weight")).toEqual([256, 64]);
    expect(tensors.get("model.layers.0.mlp.dense_4h_to_h.weight")).toEqual([64, 256]);
    expect(tensors.get("model.layers.0.self_attn.q_layernorm.bias")).toEqual([16]);
    expect(tensors.get("lm_head.weight")).toEqual([512, 64]);
    expect(tensors.has("lm_head.bias")).toBe(false);
  });

  it("has the parameters and tensors of the 8B", () => {
    const tensors = expectedTensors(parseConfig({}));
    expect(tensors.size).toBe(580);
    const parameters = [...tensors.values()].reduce(
      (sum, shape) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    expect(parameters).toBe(9_397_175_296);
  });

  it("follows a tied head and absent query and key norms", () => {
    expect(expectedTensors({ ...config, tieWordEmbeddings: true }).has("lm_head.weight")).toBe(false);
    const names = [...expectedTensors({ ...config, qkLayernorm: false }).keys()];
    expect(names.length).toBe(2 * 12 + 4);
    expect(names.filter((name) => /[qk]_layernorm/.test(name))).toEqual([]);
  });
});

sharedOrSkip("reference", "config.json of the fixtures", (reference) => {
  const read = (name: string) =>
    parseConfig(JSON.parse(readFileSync(join(reference, name, "config.json"), "utf8")));

  it("reads the 5.x dialect of tiny-f32 and the hub's of tiny-bf16-bin alike", () => {
    const modern = read("tiny-f32");
    expect(modern).toMatchObject({
      ropeTheta: 25000,
      rotaryDims: 8,
      headDim: 16,
      eosTokenIds: [7],
      vocabSize: 512,
    });
    expect(modern.torchDtype).toBe("float32");
    expect(read("tiny-bf16-bin")).toEqual({ ...modern, torchDtype: "bfloat16" });
    expect(read("tiny-bf16-sharded")).toEqual({ ...modern, torchDtype: "bfloat16" });
  });

  it("reads head64", () => {
    expect(read("head64")).toMatchObject({
      headDim: 64,
      rotaryDims: 32,
      intermediateSize: 192,
      bosTokenId: 13,
    });
  });
});

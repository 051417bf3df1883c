import { describe, expect, it } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { demoModelDirectory, loadModel } from "../../src/load_model.js";
import { type PersimmonConfig, parseConfig } from "../../src/model/config.js";
import { randomModel } from "../../src/random_model.js";
import { estimateMemory } from "../../src/runtime/memory_estimate.js";

// Persimmon-8B, as on the hub.
const config: PersimmonConfig = parseConfig({ max_position_embeddings: 16_384, torch_dtype: "bfloat16" });
const parameters = 9_397_175_296;
// Elements of its matrices, which int8 and int4 round.
const matrices = 2 * 262_144 * 4096 + 36 * (3 * 4096 ** 2 + 4096 ** 2 + 2 * 4096 * 16_384);
const rows = 2 * 262_144 + 36 * (3 * 4096 + 4096 + 16_384 + 4096);
const full = { kvDtype: "bfloat16", maxLength: 16_384 } as const;

describe("Persimmon-8B", () => {
  it.each([
    ["float32", 4 * parameters],
    ["bfloat16", 2 * parameters],
    ["auto", 2 * parameters],
    ["int8", matrices + 4 * rows + 2 * (parameters - matrices)],
    ["int4", (matrices * 4.5) / 8 + 2 * (parameters - matrices)],
  ] as const)("weights as %s", (dtype, bytes) => {
    expect(estimateMemory(config, { dtype, ...full }).weights).toBe(bytes);
  });

  it("the copies that predict zeros are 4.5 bits for each weight of the up projections", () => {
    const plain = estimateMemory(config, { dtype: "bfloat16", ...full });
    const predicted = estimateMemory(config, { dtype: "bfloat16", ...full, predictsZeros: true });
    const copies = (36 * 16_384 * 4096 * 4.5) / 8;
    expect(predicted.weights - plain.weights).toBe(copies);
    expect(predicted.total - plain.total).toBe(copies);
  });

  it("keys and values: 576 KiB a token in bfloat16, twice that in float32", () => {
    const kv = (kvDtype: "float32" | "bfloat16", maxLength: number) =>
      estimateMemory(config, { dtype: "int4", kvDtype, maxLength }).kvCache;
    expect(kv("bfloat16", 16_384)).toBe(16_384 * 576 * 1024);
    expect(kv("float32", 16_384)).toBe(2 * 16_384 * 576 * 1024);
    // Pages of 32 positions, and of 2 MiB for each layer's keys and values.
    expect(kv("bfloat16", 1)).toBe(72 * 32 * 4096 * 2);
    expect(kv("bfloat16", 257)).toBe(72 * 2 * 2 ** 21);
  });

  it("buffers are those of a chunk of 512, and the total is the sum", () => {
    const short = estimateMemory(config, { dtype: "int4", ...full, maxLength: 512 });
    const long = estimateMemory(config, { dtype: "int4", ...full });
    expect(long.buffers - short.buffers).toBe((16_384 - 512) * 32 * 4); // rotary tables
    expect(long.total).toBe(long.weights + long.kvCache + long.buffers);
  });

  it("cuBLASLt works in 32 MiB, three bfloat16 an activation and one for each of a matrix in int8, twice at most", () => {
    const beyond = (dtype: "float32" | "bfloat16" | "int8" | "int4") =>
      estimateMemory(config, { dtype, ...full, cublasLt: true }).total -
      estimateMemory(config, { dtype, ...full }).total;
    const activations = 512 * 16_384 * 3 * 2;
    expect(beyond("bfloat16")).toBe(2 * (32 * 1024 ** 2 + activations));
    expect(beyond("int8")).toBe(2 * (32 * 1024 ** 2 + activations + 4_096 * 16_384 * 2));
    expect([beyond("float32"), beyond("int4")]).toEqual([0, 0]);
  });

  it("ranks share weights, keys and values, and have values of the hidden size, tables and logits each", () => {
    const one = estimateMemory(config, { dtype: "bfloat16", ...full });
    const four = estimateMemory(config, { dtype: "bfloat16", ...full, ranks: 4 });
    expect([four.weights, four.kvCache]).toEqual([one.weights, one.kvCache]);
    const ofMlp = 1.5 * 512 * 4 * 2 * 16_384;
    expect(four.buffers - ofMlp).toBe(4 * (one.buffers - ofMlp));
  });
});

it("weights that are stored keep their types, and are what a loaded model has", async () => {
  const { config: demo, tensors } = await openCheckpoint(demoModelDirectory());
  for (const dtype of ["auto", "bfloat16", "float32"] as const) {
    const model = await loadModel(undefined, { dtype });
    const estimate = estimateMemory(demo, { dtype, kvDtype: "float32", maxLength: 1, stored: tensors });
    expect(estimate.weights).toBe(model.weightBytes);
  }
  const half = new Map([...tensors.keys()].map((name) => [name, { dtype: "float16" as const }]));
  const ofHalf = { kvDtype: "float32", maxLength: 1, stored: half } as const;
  expect(estimateMemory(demo, { dtype: "auto", ...ofHalf }).weights).toBe(4 * 6_837_760);
  // Norms and biases in float32, as they cannot be computed with as they are.
  const [of16, of32] = [estimateMemory(demo, { dtype: "int4", ...ofHalf }), { dtype: "float32" as const }];
  const whole = new Map([...tensors.keys()].map((name) => [name, of32]));
  expect(estimateMemory(demo, { dtype: "int4", ...ofHalf, stored: whole }).weights).toBe(of16.weights);
});

it("buffers cover what the arena holds after a prompt of two chunks, and are at most twice that", async () => {
  const shape = { hidden: 512, layers: 8, heads: 8, ffn: 2048, vocab: 4096 };
  // A device of its own: another one's arena also keeps what earlier models have left, as soon as they are collected.
  const model = randomModel(shape, { dtype: "int4", maxLength: 1024, threads: 3 });
  using _ = await model.prefill(Array.from({ length: 700 }, (_, at) => at));
  const { bytesInUse, bytesCached } = model.device.memory();
  const { buffers } = estimateMemory(model.config, { dtype: "int4", kvDtype: "float32", maxLength: 1024 });
  expect(buffers).toBeGreaterThan(bytesCached);
  expect(buffers).toBeLessThan(2 * (bytesCached + bytesInUse));
});

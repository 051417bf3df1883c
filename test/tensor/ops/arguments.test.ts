import { describe, expect, it } from "vitest";
import * as ops from "../../../src/tensor/ops/index.js";
import { Tensor } from "../../../src/tensor/tensor.js";
import { codeOf } from "../../support/codes.js";
import { bfloat16, device, float32, int32 } from "./on_device.js";

const zeros = (...shape: number[]) =>
  float32(new Float32Array(shape.reduce((product, size) => product * size, 1)), shape);

/** A cache of two pages of four positions, for two heads of four dimensions. */
const cache = (): ops.LayerCache => ({
  keys: zeros(2, 2, 4, 4),
  values: zeros(2, 2, 4, 4),
  pageTable: int32([0, 1], [1, 2]),
  positions: int32([0, 1, 2]),
  sequences: int32([0, 0, 0]),
  longest: 3,
});
const tables = { cos: zeros(8, 1), sin: zeros(8, 1) };
const norm = { weight: zeros(4), bias: zeros(4) };
const sampling = { temperature: 1, topK: 0, topP: 0 };
const noTop = Float64Array.of(0.5, 0.5);

/** Every op with arguments that it takes, so that each can be spoiled in turn. */
const calls: Record<string, [op: (...args: never[]) => unknown, args: () => unknown[]]> = {
  add: [ops.add, () => [zeros(2, 3), zeros(2, 3)]],
  reluSquared: [ops.reluSquared, () => [zeros(2, 3)]],
  softmax: [ops.softmax, () => [zeros(2, 3)]],
  logSoftmax: [ops.logSoftmax, () => [zeros(2, 3)]],
  embedding: [ops.embedding, () => [zeros(5, 3), int32([0, 1])]],
  linear: [ops.linear, () => [zeros(2, 3), zeros(4, 3), zeros(4)]],
  linearWhere: [ops.linearWhere, () => [zeros(2, 3), zeros(4, 3), zeros(4), zeros(2, 4)]],
  layerNorm: [ops.layerNorm, () => [zeros(2, 3), zeros(3), zeros(3), 1e-5]],
  splitHeads: [ops.splitHeads, () => [zeros(3, 24), 2]],
  rotary: [ops.rotary, () => [zeros(3, 2, 4), tables, int32([0, 1, 2])]],
  cacheAppend: [ops.cacheAppend, () => [zeros(3, 2, 4), zeros(3, 2, 4), cache()]],
  attentionPattern: [ops.attentionPattern, () => [zeros(3, 2, 4), cache()]],
  attentionValues: [ops.attentionValues, () => [zeros(3, 2, 3), cache()]],
  fusedAttention: [
    ops.fusedAttention,
    () => [zeros(3, 24), 2, { q: norm, k: norm, epsilon: 1e-5 }, tables, cache()],
  ],
  argmax: [ops.argmax, () => [zeros(2, 3)]],
  sample: [ops.sample, () => [zeros(2, 3), sampling, noTop]],
  sampleSeeded: [ops.sampleSeeded, () => [zeros(2, 3), sampling, int32(new Int32Array(8), [2, 4])]],
  advance: [
    ops.advance,
    () => [
      {
        ids: int32([0, 0]),
        positions: int32([0, 0]),
        random: int32(new Int32Array(8), [2, 4]),
        results: int32(new Int32Array(4), [2, 2]),
      },
      int32([1, 2]),
      zeros(2),
    ],
  ],
  gatherLogProbability: [ops.gatherLogProbability, () => [zeros(2, 3), int32([0, 1])]],
  sub: [ops.sub, () => [zeros(2, 3), zeros(2, 3)]],
  mul: [ops.mul, () => [zeros(2, 3), zeros(2, 3)]],
  scale: [ops.scale, () => [zeros(2, 3), 2]],
  relu: [ops.relu, () => [zeros(2, 3)]],
  gelu: [ops.gelu, () => [zeros(2, 3)]],
  silu: [ops.silu, () => [zeros(2, 3)]],
  sigmoid: [ops.sigmoid, () => [zeros(2, 3)]],
  tanh: [ops.tanh, () => [zeros(2, 3)]],
  rmsNorm: [ops.rmsNorm, () => [zeros(2, 3), zeros(3), 1e-5]],
  matmul: [ops.matmul, () => [zeros(2, 3), zeros(3, 4)]],
  attention: [ops.attention, () => [zeros(3, 2, 4), zeros(3, 2, 4), zeros(3, 2, 4), { causal: true }]],
  topK: [ops.topK, () => [zeros(2, 3), 2]],
  keepTopK: [ops.keepTopK, () => [zeros(2, 3), 1]],
  gather: [ops.gather, () => [zeros(2, 3), int32([0, 1])]],
  sum: [ops.sum, () => [zeros(2, 3)]],
  mean: [ops.mean, () => [zeros(2, 3)]],
  max: [ops.max, () => [zeros(2, 3)]],
  min: [ops.min, () => [zeros(2, 3)]],
  transpose: [ops.transpose, () => [zeros(2, 3)]],
};
/** Ops of which an argument has any shape: those that treat all numbers alike, and those along the last axis. */
const anyShape = [
  ...["reluSquared", "relu", "gelu", "silu", "sigmoid", "tanh", "scale", "softmax", "logSoftmax"],
  ...["sum", "mean", "max", "min", "keepTopK", "gather", "transpose"],
];
const run = ([op]: (typeof calls)[string], args: unknown[]) =>
  (op as (...args: unknown[]) => unknown)(...args);

/** The arguments with tensor number `wanted`, counted through nested objects, put through `change`. */
function spoiled(
  args: unknown[],
  wanted: number,
  change: (tensor: Tensor) => unknown,
): unknown[] | undefined {
  let seen = 0;
  let done = false;
  const walk = (value: unknown): unknown => {
    if (value instanceof Tensor) {
      if (seen++ !== wanted) return value;
      done = true;
      return change(value);
    }
    if (Array.isArray(value)) return value.map(walk);
    const isPlain = typeof value === "object" && value?.constructor === Object;
    if (!isPlain) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, walk(member)]));
  };
  const result = walk(args) as unknown[];
  return done ? result : undefined;
}

describe.each(Object.entries(calls))("ops.%s", (_, call) => {
  const [, args] = call;
  const every = (change: (tensor: Tensor) => unknown) => {
    const codes: (string | undefined)[] = [];
    for (let i = 0; ; i++) {
      const bad = spoiled(args(), i, change);
      if (bad === undefined) break;
      codes.push(codeOf(() => run(call, bad)));
    }
    expect(codes.length).toBeGreaterThan(0);
    return new Set(codes);
  };

  it("takes good arguments", () => {
    run(call, args());
    device.stream.synchronize();
  });

  it("ARGUMENT_INVALID for what is no tensor", () => {
    for (const value of [null, "x", 3, {}, [1, 2], new Float32Array(3), Object.create(null)]) {
      expect(every(() => value)).toEqual(new Set(["ARGUMENT_INVALID"]));
    }
  });

  it("DTYPE_MISMATCH for other element types", () => {
    expect(every((tensor) => Tensor.empty(device, tensor.shape, "float16"))).toEqual(
      new Set(["DTYPE_MISMATCH"]),
    );
    const swapped = (tensor: Tensor) =>
      Tensor.empty(device, tensor.shape, tensor.dtype === "int32" ? "float32" : "int32");
    expect(every(swapped)).toEqual(new Set(["DTYPE_MISMATCH"]));
  });

  it("SHAPE_MISMATCH for another number of axes", () => {
    const withAxis = (tensor: Tensor) => tensor.reshape([...tensor.shape, 1, 1]);
    if (anyShape.some((name) => calls[name] === call)) return;
    expect(every(withAxis)).toEqual(new Set(["SHAPE_MISMATCH"]));
  });

  it("TENSOR_RELEASED for a tensor that was given back", () => {
    const release = (tensor: Tensor) => {
      const copy = Tensor.empty(device, tensor.shape, tensor.dtype);
      copy.release();
      return copy;
    };
    expect(every(release)).toEqual(new Set(["TENSOR_RELEASED"]));
  });
});

describe("sizes that do not fit", () => {
  it.each<[string, () => unknown]>([
    ["add", () => ops.add(zeros(2, 3), zeros(3, 2))],
    ["linear: features", () => ops.linear(zeros(2, 3), zeros(4, 2))],
    ["linearWhere: features", () => ops.linearWhere(zeros(2, 3), zeros(4, 2), undefined, zeros(2, 4))],
    ["linearWhere: gate", () => ops.linearWhere(zeros(2, 3), zeros(4, 3), undefined, zeros(1, 4))],
    ["linear: bias", () => ops.linear(zeros(2, 3), zeros(4, 3), zeros(3))],
    ["layerNorm: weight", () => ops.layerNorm(zeros(2, 3), zeros(2), zeros(3), 1e-5)],
    ["layerNorm: bias", () => ops.layerNorm(zeros(2, 3), zeros(3), zeros(4), 1e-5)],
    ["splitHeads: heads", () => ops.splitHeads(zeros(3, 24), 7)],
    ["splitHeads: no heads", () => ops.splitHeads(zeros(3, 24), 0)],
    ["rotary: positions", () => ops.rotary(zeros(3, 2, 4), tables, int32([0, 1]))],
    [
      "rotary: tables",
      () => ops.rotary(zeros(3, 2, 4), { cos: zeros(8, 1), sin: zeros(8, 2) }, int32([0, 1, 2])),
    ],
    [
      "rotary: too many",
      () => ops.rotary(zeros(1, 2, 4), { cos: zeros(8, 3), sin: zeros(8, 3) }, int32([0])),
    ],
    ["cacheAppend: heads", () => ops.cacheAppend(zeros(3, 3, 4), zeros(3, 3, 4), cache())],
    ["cacheAppend: v", () => ops.cacheAppend(zeros(3, 2, 4), zeros(2, 2, 4), cache())],
    ["cacheAppend: headDim", () => ops.cacheAppend(zeros(3, 2, 6), zeros(3, 2, 6), cache())],
    ["pattern: tokens", () => ops.attentionPattern(zeros(2, 2, 4), cache())],
    [
      "pattern: values",
      () => ops.attentionPattern(zeros(3, 2, 4), { ...cache(), values: zeros(1, 2, 4, 4) }),
    ],
    ["values: keys", () => ops.attentionValues(zeros(3, 2, 4), cache())],
    [
      "fused: norm",
      () =>
        ops.fusedAttention(
          zeros(3, 24),
          2,
          { q: norm, k: { weight: zeros(5), bias: zeros(4) }, epsilon: 1e-5 },
          tables,
          cache(),
        ),
    ],
    ["fused: heads", () => ops.fusedAttention(zeros(3, 24), 3, undefined, tables, cache())],
    [
      "pages of no positions",
      () =>
        ops.attentionPattern(zeros(0, 2, 4), {
          ...cache(),
          keys: zeros(2, 2, 0, 4),
          values: zeros(2, 2, 0, 4),
        }),
    ],
    ["sample: draws", () => ops.sample(zeros(3, 4), sampling, noTop)],
    ["argmax of nothing", () => ops.argmax(zeros(2, 0))],
    ["sample of nothing", () => ops.sample(zeros(2, 0), sampling, noTop)],
    ["gather from nothing", () => ops.gatherLogProbability(zeros(2, 0), int32([0, 0]))],
  ])("%s", (_, f) => expect(codeOf(f)).toBe("SHAPE_MISMATCH"));

  it("SHAPE_INVALID where a size is computed from a bad one", () => {
    expect(codeOf(() => ops.splitHeads(zeros(3, 24), -2))).toBe("SHAPE_INVALID");
    for (const longest of [-1, 1.5, Number.NaN, 2 ** 40]) {
      expect(codeOf(() => ops.attentionPattern(zeros(3, 2, 4), { ...cache(), longest }))).toBe(
        "SHAPE_INVALID",
      );
    }
  });
});

it("sample refuses options and draws that are not what it needs", () => {
  const logits = zeros(2, 3);
  for (const wrong of [
    { temperature: 0 },
    { temperature: Number.NaN },
    { temperature: Infinity },
    { topK: -1 },
    { topK: 1.5 },
    { topK: Number.NaN },
    { topP: -0.1 },
    { topP: 1.1 },
    { topP: Number.NaN },
  ]) {
    expect(codeOf(() => ops.sample(logits, { ...sampling, ...wrong }, noTop))).toBe("SAMPLING_INVALID");
  }
  for (const uniform of [
    [0.5, 0.5],
    Float32Array.of(0.5, 0.5),
    Float64Array.of(0.5, 1),
    Float64Array.of(-0.1, 0),
  ]) {
    expect(codeOf(() => ops.sample(logits, sampling, uniform as Float64Array))).toBe("ARGUMENT_INVALID");
  }
});

it("weights may be bfloat16, activations may not", () => {
  const x = bfloat16(new Float32Array(6), [2, 3]);
  expect(codeOf(() => ops.linear(x, zeros(4, 3)))).toBe("DTYPE_MISMATCH");
  expect(codeOf(() => ops.add(x, x))).toBe("DTYPE_MISMATCH");
  expect(ops.linear(zeros(2, 3), bfloat16(new Float32Array(12), [4, 3])).shape).toEqual([2, 4]);
});

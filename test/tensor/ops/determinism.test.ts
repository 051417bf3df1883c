import { beforeEach, describe, expect, it } from "vitest";
import { native } from "../../../src/native.js";
import { Device } from "../../../src/tensor/device.js";
import * as ops from "../../../src/tensor/ops/index.js";
import { scope } from "../../../src/tensor/scope.js";
import { Tensor } from "../../../src/tensor/tensor.js";
import { RandomValues } from "../../support/random_values.js";
import { expectSameBits, float32, instructionSets } from "./on_device.js";

const [rows, width, columns] = [300, 211, 97];

/** Ops on rows, with what else they need made on the device of x. */
const onRows: Record<string, (x: Tensor) => Tensor> = {
  "add a row": (x) => ops.add(x, vector(x)),
  "sub from a row": (x) => ops.sub(vector(x), x),
  mul: (x) => ops.mul(x, x),
  scale: (x) => ops.scale(x, -0.7),
  relu: (x) => ops.relu(x),
  gelu: (x) => ops.gelu(x),
  "gelu by tanh": (x) => ops.gelu(x, { approximate: "tanh" }),
  silu: (x) => ops.silu(x),
  sigmoid: (x) => ops.sigmoid(x),
  tanh: (x) => ops.tanh(x),
  rmsNorm: (x) => ops.rmsNorm(x, vector(x), 1e-5),
  matmul: (x) => ops.matmul(x, on(x, width * columns, [width, columns])),
  "matmul of a long inner axis": (x) =>
    ops.matmul(ops.concat([x, x, x], 1), on(x, 3 * width * columns, [3 * width, columns])),
  keepTopK: (x) => ops.keepTopK(x, 20),
  topK: (x) => ops.topK(x, 20).values,
  gather: (x) => ops.gather(x, Tensor.from(x.device, Int32Array.of(5, 210, 0, -1))),
  slice: (x) => ops.slice(x, 1, 3, 50),
  concat: (x) => ops.concat([x, x], 1),
  transpose: (x) => ops.transpose(ops.transpose(x)),
  sum: (x) => ops.sum(x),
  mean: (x) => ops.mean(x),
  max: (x) => ops.max(x),
  min: (x) => ops.min(x),
  "attention to other keys": (x) => {
    const q = x.reshape([x.shape[0], 1, width]);
    const keys = on(x, 70 * width, [70, 1, width]);
    return ops.attention(q, keys, keys, { causal: false });
  },
};

function on({ device }: Tensor, count: number, shape: number[]): Tensor {
  return Tensor.from(device, new RandomValues(count).normal(count), shape);
}
const vector = (x: Tensor) => on(x, width, [width]);

describe.each(instructionSets)("on %s", (name) => {
  beforeEach(() => expect(native().setInstructionSet(name)).toBe(true));

  it.each(Object.entries(onRows))(
    "%s: a row has the same bits alone, among others and on any threads",
    (_, op) => {
      const x = new RandomValues(7).normal(rows * width);
      const run = (threads: number, from: number, to: number) =>
        scope(() => {
          const part = Tensor.from(Device.cpu(threads), x.slice(from * width, to * width), [
            to - from,
            width,
          ]);
          return op(part).dataSync();
        });
      const together = run(2, 0, rows);
      expectSameBits(run(1, 0, rows), together);
      const perRow = together.length / rows;
      for (const [from, to] of [
        [0, 1],
        [3, 5],
        [10, 27],
        [299, 300],
      ]) {
        expectSameBits(run(1 + (to % 2), from, to), together.slice(from * perRow, to * perRow));
      }
    },
  );

  it("a token of causal attention does not depend on those after it", () => {
    const random = new RandomValues(8);
    const [q, k, v] = [0, 1, 2].map(() => float32(random.normal(50 * 2 * 24), [50, 2, 24]));
    const run = (tokens: number) =>
      ops.attention(q.rows(0, tokens), k.rows(0, tokens), v.rows(0, tokens), { causal: true }).dataSync();
    const all = run(50);
    for (const tokens of [1, 7, 8, 9, 33]) expectSameBits(run(tokens), all.slice(0, tokens * 48));
  });
});

it("instruction sets with a fused multiply-add agree to the bit", () => {
  const fused = instructionSets.filter((name) => name !== "portable" || process.arch === "arm64");
  const x = float32(new RandomValues(9).normal(rows * width, 3), [rows, width]);
  for (const op of Object.values(onRows)) {
    const found = fused.map((set) => {
      native().setInstructionSet(set);
      return scope(() => op(x).dataSync());
    });
    for (const values of found) expectSameBits(values, found[0]);
  }
  native().setInstructionSet(instructionSets[0]);
});

describe("recorded and replayed", () => {
  it.each(Object.entries(onRows))("%s", (_, op) => {
    const random = new RandomValues(10);
    const x = float32(random.normal(rows * width), [rows, width]);
    const plan = new (native().Plan)(x.device.stream);
    plan.begin();
    const out = scope(() => op(x));
    expect(plan.end()).toBeGreaterThan(0);
    const recorded = out.dataSync();
    const other = random.normal(rows * width);
    const wanted = scope(() => op(float32(other, [rows, width])).dataSync());
    plan.poison();
    plan.replay(0);
    expectSameBits(out.dataSync(), recorded);
    x.write(other);
    plan.poison();
    plan.replay(0);
    expectSameBits(out.dataSync(), wanted);
    out.release();
    plan.release();
  });
});

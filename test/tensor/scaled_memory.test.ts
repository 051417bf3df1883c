import { expect, it } from "vitest";
import { native } from "../../src/native.js";
import { randomModel } from "../../src/random_model.js";
import { Device } from "../../src/tensor/device.js";
import * as ops from "../../src/tensor/ops/index.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { RandomValues } from "../support/random_values.js";
import { expectSameBits, float32 } from "./ops/on_device.js";

// One block has 30,832 rows of 544 columns.
const [rows, columns] = [31_001, 544];

it.each(["toInt8", "toInt4"] as const)(
  "%s of a matrix of several blocks gives each row what it gets alone",
  (method) => {
    const values = new RandomValues(3).normal(rows * columns);
    using matrix = float32(values, [rows, columns]);
    using rounded = matrix[method]();
    const found = rounded.dataSync();
    const x = new RandomValues(4).normal(3 * columns);
    using product = ops.linear(float32(x, [3, columns]), rounded);
    const products = product.dataSync();
    for (const [from, to] of [
      [0, 40],
      [30_800, 30_900],
      [30_990, rows],
    ]) {
      using part = float32(values.slice(from * columns, to * columns), [to - from, columns]);
      using alone = part[method]();
      expectSameBits(found.slice(from * columns, to * columns), alone.dataSync());
      // In tiles, as products read them, too.
      using small = ops.linear(float32(x, [3, columns]), alone);
      const wanted = small.dataSync();
      for (let row = 0; row < 3; row++) {
        expectSameBits(
          products.slice(row * rows + from, row * rows + to),
          wanted.slice(row * (to - from), (row + 1) * (to - from)),
        );
      }
    }
  },
);

it("fillNormal gives the same numbers in pieces", () => {
  const device = Device.cpu(2);
  const whole = Tensor.empty(device, [1000]);
  native().fillNormal(device.stream, whole.buffer, 1000, 0.5, 2, 9, 0);
  for (const [first, count] of [
    [0, 10],
    [300, 700],
    [999, 1],
  ]) {
    const part = Tensor.empty(device, [count]);
    native().fillNormal(device.stream, part.buffer, count, 0.5, 2, 9, first);
    expectSameBits(part.dataSync(), whole.dataSync().slice(first, first + count));
  }
});

it("a random int4 model has the weights of the bfloat16 model of its seed, rounded", () => {
  const shape = { hidden: 64, layers: 1, heads: 1, ffn: 96, vocab: 300 };
  const make = (dtype: "bfloat16" | "int4") => randomModel(shape, { dtype, seed: 5, maxLength: 32 });
  const [exact, rounded] = [make("bfloat16"), make("int4")];
  const names = ["lm_head", "model.layers.0.mlp.dense_4h_to_h", "model.layers.0.self_attn.query_key_value"];
  const weight = (model: ReturnType<typeof make>, name: string) => {
    if (name === "lm_head") return model.lmHead.weight;
    const { mlp, selfAttn } = model.layers[0];
    return (name.includes("mlp") ? mlp.dense4hToH : selfAttn.queryKeyValue).weight;
  };
  for (const name of names) {
    const wanted = weight(exact, name).toInt4().dataSync();
    expectSameBits(weight(rounded, name).dataSync(), wanted);
    expect(wanted.some((value) => value !== 0)).toBe(true);
  }
});

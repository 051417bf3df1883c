import { describe, expect, it } from "vitest";
import { nativeDType } from "../../src/native.js";
import { Device } from "../../src/tensor/device.js";
import * as ops from "../../src/tensor/ops/index.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { codeOf } from "../support/codes.js";
import { RandomValues } from "../support/random_values.js";

const device = Device.cpu(2);

// Two rows of one group each, with the scales 1 and -1/4: all numbers but two can be held exactly.
const first = Array.from({ length: 32 }, (_, i) => (i % 16) - 8);
const second = Array.from({ length: 32 }, (_, i) => (i === 3 ? 2 : ((i % 15) - 7) / 4));
const numbers = Float32Array.from([...first, ...second]);
numbers[5] = -2.6;
numbers[37] = 1.9;
const rounded = Float32Array.from(numbers);
rounded[5] = -3;
rounded[37] = 2;
const int4 = () => Tensor.from(device, numbers, [2, 32]).toInt4();

describe("toInt4", () => {
  it("makes the largest number of a group -8 times its scale and rounds the others", async () => {
    const tensor = int4();
    // In tiles of 16 rows: 16 bytes and a scale for each.
    expect([tensor.dtype, tensor.shape, tensor.byteLength]).toEqual(["int4", [2, 32], 16 * 18]);
    expect(await tensor.data()).toEqual(rounded);
  });

  it("is stored as words of eight numbers plus 8, the first in the lowest bits, with bfloat16 scales", async () => {
    for (const tensor of [int4(), int4().toColumnMajor()]) {
      const { elements, scales } = await tensor.stored();
      expect(new Uint16Array(scales!.buffer)).toEqual(Uint16Array.of(0x3f80, 0xbe80));
      const words = new Uint32Array(elements.buffer);
      expect(words.length).toBe(8);
      rounded.forEach((value, i) => {
        const scale = i < 32 ? 1 : -0.25;
        expect(((words[i >> 3] >>> (4 * (i % 8))) & 15) - 8).toBeCloseTo(value / scale, 9);
      });
    }
  });

  it("keeps its values in views, in columns, and in ops that want float32", () => {
    for (const tensor of [int4(), int4().view(), int4().toColumnMajor(), int4().toColumnMajor().view()]) {
      expect(tensor.dtype).toBe("int4");
      expect(tensor.dataSync()).toEqual(rounded);
      expect(tensor.toInt4().dataSync()).toEqual(rounded);
      expect(tensor.rows(1, 2).dataSync()).toEqual(rounded.slice(32));
      expect(tensor.reshape([64]).dataSync()).toEqual(rounded);
      expect(tensor.copy().dtype).toBe("float32");
      expect(tensor.copy().dataSync()).toEqual(rounded);
      // 127 is the largest: whole numbers are not rounded.
      const x = Float32Array.from({ length: 32 }, (_, i) => (i === 31 ? 127 : (i * 5) % 32));
      const product = (row: number) => x.reduce((sum, value, i) => sum + value * rounded[32 * row + i], 0);
      expect(ops.linear(Tensor.from(device, x, [1, 32]), tensor).dataSync()).toEqual(
        Float32Array.of(product(0), product(1)),
      );
    }
  });

  it("rounds what linear is given to 8 bits, the same in both orders", () => {
    const random = new RandomValues(3);
    const [rows, inputs, outputs] = [3, 96, 70];
    const weight = Tensor.from(device, random.normal(outputs * inputs, 1), [outputs, inputs]);
    const x = Tensor.from(device, random.normal(rows * inputs, 1), [rows, inputs]);
    const exact = ops.linear(x, weight.toInt4().copy()).dataSync();
    const byOutput = ops.linear(x, weight.toInt4()).dataSync();
    const byInput = ops.linear(x, weight.toInt4().toColumnMajor()).dataSync();
    const distance = (a: Float32Array, b: Float32Array) =>
      Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    expect(distance(byInput, byOutput)).toBeLessThan(1e-4);
    // 96 products off by 1/254 of about 2.5 each, in either direction
    expect(distance(byOutput, exact)).toBeLessThan(0.5);
    expect(distance(byOutput, exact)).toBeGreaterThan(1e-3);
  });

  it("is released with its scales, and a view keeps both", () => {
    const tensor = int4();
    const view = tensor.view();
    tensor.release();
    expect(codeOf(() => tensor.scales)).toBe("TENSOR_RELEASED");
    for (let i = 0; i < 4; i++) int4().release(); // would take the memory
    expect(view.dataSync()).toEqual(rounded);
  });

  it("stays in tiles where a scale is not finite: beside a live input it would count, alone not", () => {
    const { stream } = device;
    const elements = stream.allocate(32, nativeDType.int4);
    stream.write(elements, 0, new Uint8Array(32).fill(0x88));
    const scales = stream.allocate(4, nativeDType.bfloat16);
    stream.write(scales, 0, new Uint8Array(Uint16Array.of(0x3f80, 0x7fc0).buffer));
    const tensor = Tensor.fromRows(device, "int4", { elements, scales }, [2, 32]);
    expect(tensor.toColumnMajor().isColumnMajor).toBe(false);
    const x = new Float32Array(64);
    x[40] = 1;
    const [a, b, c, d] = ops.linear(Tensor.from(device, x, [2, 32]), tensor).dataSync();
    expect([a, b, c, d]).toEqual([0, Number.NaN, 0, Number.NaN]);
  });

  it("of nothing is nothing, at once", () => {
    const empty = Tensor.from(device, new Float32Array(0), [2 ** 31 - 1, 0]).toInt4();
    expect([empty.dtype, empty.size]).toEqual(["int4", 0]);
  });

  it("counts what zeros leave out", async () => {
    const tensor = Tensor.from(device, new RandomValues(1).normal(128 * 64, 1), [128, 64])
      .toInt4()
      .toColumnMajor();
    const x = new Float32Array(64);
    x[40] = 1;
    const before = await device.weightTraffic();
    ops.linear(Tensor.from(device, x, [1, 64]), tensor);
    const { read, skipped } = await device.weightTraffic();
    // One input of 128 outputs and the scales of its group, of 64 inputs and two groups.
    expect([read - before.read, skipped - before.skipped]).toEqual([64 + 256, 63 * 64 + 256]);
  });

  const random = (rows: number, columns: number) =>
    Tensor.from(device, new Float32Array(rows * columns), [rows, columns]);
  it.each<[string, string, () => unknown]>([
    ["a vector", "SHAPE_MISMATCH", () => Tensor.from(device, new Float32Array(32)).toInt4()],
    ["half a group", "SHAPE_MISMATCH", () => random(2, 48).toInt4()],
    ["int8", "SHAPE_MISMATCH", () => random(2, 32).toInt8().toInt4()],
    [
      "an infinite number",
      "WEIGHT_NOT_FINITE",
      () => Tensor.from(device, new Float32Array(32).fill(1 / 0), [1, 32]).toInt4(),
    ],
    ["writing", "DTYPE_UNSUPPORTED", () => int4().write(numbers)],
    ["being made of nothing", "DTYPE_UNSUPPORTED", () => Tensor.empty(device, [2, 32], "int4")],
    ["taking over values", "DTYPE_UNSUPPORTED", () => int4().copyFrom(int4())],
  ])("refuses %s", (_, code, f) => expect(codeOf(f)).toBe(code));
});

import { describe, expect, it } from "vitest";
import { Device } from "../../src/tensor/device.js";
import * as ops from "../../src/tensor/ops/index.js";
import { scope } from "../../src/tensor/scope.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { codeOf } from "../support/codes.js";

const device = Device.cpu(2);
const values = Float32Array.of(1, 2, 3, 4, 5, 6);

describe("Tensor", () => {
  it("gives back what it was made from, and does not follow later changes of the source", async () => {
    const source = Float32Array.from(values);
    const tensor = Tensor.from(device, source, [2, 3]);
    source.fill(0);
    expect(await tensor.data()).toEqual(values);
    expect(tensor.dataSync()).toEqual(values);
    expect(await Tensor.from(device, Int32Array.of(2 ** 31 - 1, -1)).integers()).toEqual(
      Int32Array.of(2 ** 31 - 1, -1),
    );
  });

  it("integers() is for int32 only: of other numbers it would give the bits", async () => {
    const tensor = Tensor.from(device, values, [2, 3]);
    await expect(tensor.integers()).rejects.toMatchObject({
      code: "DTYPE_MISMATCH",
      message: "integers() is for int32 tensors, and this one is float32",
    });
    await expect(Tensor.empty(device, [2], "bfloat16").integers()).rejects.toMatchObject({
      code: "DTYPE_MISMATCH",
    });
  });

  it.each([
    ["float64", '"float64"'],
    ["constructor", '"constructor"'],
    [3, "3"],
    [null, "null"],
  ])("empty() of a type that is none: %s", (dtype, shown) => {
    const make = () => Tensor.empty(device, [4], dtype as never);
    expect(codeOf(make)).toBe("DTYPE_UNSUPPORTED");
    expect(make).toThrow(`a tensor is "float32", "bfloat16", "int32" or "float16", got ${shown}`);
  });

  it("rows and reshape look at the same memory, which lives as long as the last of them", async () => {
    const tensor = Tensor.from(device, values, [3, 2]);
    const rows = tensor.rows(1, 3);
    const flat = rows.reshape([4]);
    expect(rows.shape).toEqual([2, 2]);
    tensor.release();
    rows.release();
    // What is made now must not land in the memory that `flat` still holds.
    Tensor.from(device, new Float32Array(6));
    expect(await flat.data()).toEqual(Float32Array.of(3, 4, 5, 6));
  });

  it("a view of a part of a page can be read and used at any alignment", () => {
    const tensor = Tensor.from(
      device,
      Float32Array.from({ length: 35 }, (_, i) => i),
      [5, 7],
    );
    expect(ops.add(tensor.rows(1, 2), tensor.rows(4, 5)).dataSync()).toEqual(
      Float32Array.from({ length: 7 }, (_, i) => 7 + i + 28 + i),
    );
  });

  it.each<[string, string, () => unknown]>([
    ["a shape of another size", "SHAPE_MISMATCH", () => Tensor.from(device, values, [7])],
    ["a plain list", "ARGUMENT_INVALID", () => Tensor.from(device, [1, 2] as never)],
    ["float64 values", "ARGUMENT_INVALID", () => Tensor.from(device, Float64Array.of(1) as never)],
    ["a negative size", "SHAPE_INVALID", () => Tensor.empty(device, [-1])],
    ["two negative sizes", "SHAPE_INVALID", () => Tensor.from(device, values, [-2, -3])],
    ["a size that is no number", "SHAPE_INVALID", () => Tensor.empty(device, [Number.NaN])],
    ["a broken size", "SHAPE_INVALID", () => Tensor.empty(device, [1.5])],
    ["more memory than there is", "OUT_OF_MEMORY", () => Tensor.empty(device, [2 ** 30, 2 ** 30])],
    ["a reshape to another size", "SHAPE_MISMATCH", () => Tensor.from(device, values).reshape([7])],
    ["a reshape with signs", "SHAPE_INVALID", () => Tensor.from(device, values).reshape([-2, -3])],
    ["rows past the end", "INDEX_OUT_OF_RANGE", () => Tensor.from(device, values).rows(0, 7)],
    ["rows backwards", "INDEX_OUT_OF_RANGE", () => Tensor.from(device, values).rows(3, 2)],
    ["no threads", "THREADS_INVALID", () => Device.cpu(0)],
    ["half a thread", "THREADS_INVALID", () => Device.cpu(1.5)],
  ])("%s: %s", (_, code, f) => expect(codeOf(f)).toBe(code));

  it("cannot be used after its release, by any method", async () => {
    const tensor = Tensor.from(device, values);
    tensor.release();
    tensor.release();
    for (const f of [
      () => tensor.dataSync(),
      () => tensor.rows(0, 1),
      () => tensor.reshape([2, 3]),
      () => ops.reluSquared(tensor),
    ]) {
      expect(codeOf(f)).toBe("TENSOR_RELEASED");
    }
    await expect(tensor.data()).rejects.toMatchObject({ code: "TENSOR_RELEASED" });
    await expect(tensor.integers()).rejects.toMatchObject({ code: "TENSOR_RELEASED" });
  });
});

describe("memory", () => {
  const inUse = () => device.memory().bytesInUse;

  it("a scope gives back all that it neither returns nor keeps", () => {
    const before = inUse();
    let inner: Tensor | undefined;
    const out = scope(() => {
      const x = Tensor.from(device, values);
      inner = ops.reluSquared(x);
      return ops.add(x, inner);
    });
    expect(codeOf(() => inner?.dataSync())).toBe("TENSOR_RELEASED");
    expect(out.dataSync()).toEqual(values.map((value) => value + value ** 2));
    out.release();
    expect(inUse()).toBe(before);
  });

  it("nested scopes, lists and objects of tensors, and keep()", () => {
    const before = inUse();
    let kept: Tensor | undefined;
    scope(() => {
      const { a, list } = scope(() => {
        kept = Tensor.from(device, values).keep();
        return { a: Tensor.from(device, values), list: scope(() => [Tensor.from(device, values)])[0] };
      });
      expect(ops.add(a, list).dataSync()).toEqual(values.map((value) => 2 * value));
    });
    expect(kept?.dataSync()).toEqual(values);
    kept?.release();
    expect(inUse()).toBe(before);
  });

  it("a scope that throws gives everything back", () => {
    const before = inUse();
    expect(() =>
      scope(() => {
        Tensor.from(device, values);
        scope(() => {
          Tensor.from(device, values);
          throw new Error("on purpose");
        });
      }),
    ).toThrow("on purpose");
    expect(inUse()).toBe(before);
    // And the scope that is open is the outer one again: none.
    const after = Tensor.from(device, values);
    expect(after.dataSync()).toEqual(values);
    after.release();
  });

  it("memory that was given back is used again in stream order, never under a reader's feet", () => {
    // Without the order of the stream, later tensors would land in memory that earlier ops still read.
    const sums: Tensor[] = [];
    for (let i = 0; i < 200; i++) {
      sums.push(
        scope(() => {
          const x = Tensor.from(device, new Float32Array(5000).fill(i));
          return ops.add(x, ops.reluSquared(x)).rows(4999 - 1, 4999);
        }),
      );
    }
    for (const [i, sum] of sums.entries()) {
      expect(sum.dataSync()[0]).toBe(i + i * i);
      sum.release();
    }
  });

  it("`using` disposes", () => {
    const before = inUse();
    {
      using tensor = Tensor.from(device, values);
      expect(tensor.size).toBe(6);
    }
    expect(inUse()).toBe(before);
  });

  describe("toInt8", () => {
    // Rows whose scales are 1 and 1/64: all numbers but the last of each can be held exactly.
    const numbers = Float32Array.of(127, -3, 5.4, 127 / 64, -1 / 64, 0.505 / 64);
    const rounded = Float32Array.of(127, -3, 5, 127 / 64, -1 / 64, 1 / 64);
    const int8 = () => Tensor.from(device, numbers, [2, 3]).toInt8();

    it("rounds to a 127th of the largest number of the row", async () => {
      const tensor = int8();
      // In tiles of 16 rows and 32 columns, with a scale for each row.
      expect([tensor.dtype, tensor.shape, tensor.byteLength]).toEqual(["int8", [2, 3], 512 + 8]);
      expect(await tensor.data()).toEqual(rounded);
      const { elements, scales } = await tensor.stored();
      expect(new Int8Array(elements.buffer)).toEqual(Int8Array.of(127, -3, 5, 127, -1, 1));
      expect(new Float32Array(scales!.buffer)).toEqual(Float32Array.of(1, 1 / 64));
    });

    it("keeps its values in views, in columns, and in ops that want float32", () => {
      for (const tensor of [int8(), int8().view(), int8().toColumnMajor(), int8().toColumnMajor().view()]) {
        expect(tensor.dtype).toBe("int8");
        expect(tensor.dataSync()).toEqual(rounded);
        expect(tensor.toInt8().dataSync()).toEqual(rounded);
        expect(tensor.rows(1, 2).dataSync()).toEqual(rounded.slice(3));
        expect(tensor.reshape([6]).dataSync()).toEqual(rounded);
        expect(tensor.copy().dtype).toBe("float32");
        expect(tensor.copy().dataSync()).toEqual(rounded);
        // Whole numbers up to 127 are not rounded.
        const x = Tensor.from(device, Float32Array.of(127, 0, 2), [1, 3]);
        expect(ops.linear(x, tensor).dataSync()).toEqual(
          Float32Array.of(127 * 127 + 10, (127 * 127 + 2) / 64),
        );
      }
    });

    it("gives its memory back, and a view keeps it", () => {
      const tensor = int8();
      const view = tensor.view();
      tensor.release();
      expect(codeOf(() => tensor.scales)).toBe("TENSOR_RELEASED");
      Tensor.from(device, new Float32Array(6));
      expect(view.dataSync()).toEqual(rounded);
    });

    it.each<[string, string, () => unknown]>([
      ["a vector", "SHAPE_MISMATCH", () => Tensor.from(device, values).toInt8()],
      ["whole numbers", "SHAPE_MISMATCH", () => Tensor.from(device, Int32Array.of(1, 2), [1, 2]).toInt8()],
      [
        "an infinite number",
        "WEIGHT_NOT_FINITE",
        () => Tensor.from(device, Float32Array.of(1, 1 / 0), [1, 2]).toInt8(),
      ],
      [
        "NaN",
        "WEIGHT_NOT_FINITE",
        () => Tensor.from(device, Float32Array.of(1, Number.NaN), [1, 2]).toInt8(),
      ],
      ["writing", "DTYPE_UNSUPPORTED", () => int8().write(values)],
      ["being made of nothing", "DTYPE_UNSUPPORTED", () => Tensor.empty(device, [2, 2], "int8")],
      ["taking over values", "DTYPE_UNSUPPORTED", () => int8().copyFrom(int8())],
    ])("refuses %s", (_, code, f) => expect(codeOf(f)).toBe(code));
  });

  describe("toColumnMajor", () => {
    const columnMajor = () => Tensor.from(device, values, [2, 3]).toColumnMajor();

    it("keeps shape and values, also through ops and views that want rows", async () => {
      const tensor = columnMajor();
      expect([tensor.shape, tensor.isColumnMajor]).toEqual([[2, 3], true]);
      expect(await tensor.data()).toEqual(values);
      expect(tensor.rows(1, 2).dataSync()).toEqual(Float32Array.of(4, 5, 6));
      expect(tensor.reshape([6]).dataSync()).toEqual(values);
      expect(tensor.copy().dataSync()).toEqual(values);
      expect(tensor.view().isColumnMajor).toBe(true);
      expect(tensor.view().dataSync()).toEqual(values);
      expect(ops.transpose(tensor).dataSync()).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
      expect(ops.add(tensor, tensor).dataSync()).toEqual(values.map((value) => 2 * value));
    });

    it("is written in its own order", () => {
      const tensor = columnMajor();
      tensor.write(values.map((value) => -value));
      expect(tensor.dataSync()).toEqual(values.map((value) => -value));
      tensor.copyFrom(Tensor.from(device, values, [2, 3]));
      expect(tensor.dataSync()).toEqual(values);
    });

    it("leaves a matrix as it is in which a zero could not be skipped", () => {
      for (const special of [Infinity, -Infinity, Number.NaN]) {
        const tensor = Tensor.from(device, Float32Array.of(1, 2, special, 4), [2, 2]);
        expect(tensor.toColumnMajor().isColumnMajor).toBe(false);
      }
    });

    it("takes matrices of floating-point numbers only", () => {
      const wrong = [Tensor.from(device, values), Tensor.from(device, Int32Array.of(1, 2), [1, 2])];
      for (const tensor of wrong) expect(codeOf(() => tensor.toColumnMajor())).toBe("SHAPE_MISMATCH");
    });
  });
});

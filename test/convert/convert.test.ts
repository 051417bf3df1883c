import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  openCheckpoint,
  readSafetensorsHeader,
  readTensor,
  writeSafetensors,
} from "../../src/checkpoint/index.js";
import { convertCheckpoint } from "../../src/convert.js";
import { loadModel } from "../../src/load_model.js";
import { bfloat16ToFloat32 } from "../../src/tensor/dtype.js";
import {
  errorOf,
  smallConfig,
  smallTensors,
  temporaryDirectories,
  writeModel,
} from "../checkpoint/support.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const directory = temporaryDirectories();
const down = "model.layers.0.mlp.dense_4h_to_h.weight";

describe("convertCheckpoint", () => {
  it("writes a checkpoint that loads as the source does with that dtype", async () => {
    const source = await tinyCheckpoint();
    const target = join(directory(), "new");
    const seen: number[] = [];
    const bytes = await convertCheckpoint(source, target, {
      to: "int8",
      onProgress: ({ stage, loaded, total }) => stage === "weights" && seen.push(loaded / total),
    });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    const [converted, rounded] = [await loadModel(target), await loadModel(source, { dtype: "int8" })];
    expect(converted.weightBytes).toBe(rounded.weightBytes);
    const stored = (await readSafetensorsHeader(join(target, "model.safetensors"))).tensors.values();
    expect([...stored].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(bytes);
    const prompt = "the human";
    expect((await converted.logits(prompt)).data).toEqual((await rounded.logits(prompt)).data);
    expect(readdirSync(join(target, ".."))).toEqual(["new"]);
    const config = JSON.parse(readFileSync(join(target, "config.json"), "utf8"));
    expect(config.quantization_config).toMatchObject({ format: "int-quantized" });
  });

  it("writes int4 in the words of compressed-tensors, which loads as the source does with that dtype", async () => {
    const source = await tinyCheckpoint();
    const target = join(directory(), "new");
    const bytes = await convertCheckpoint(source, target, { to: "int4" });
    const [converted, rounded] = [await loadModel(target), await loadModel(source, { dtype: "int4" })];
    const prompt = "the human";
    expect((await converted.logits(prompt)).data).toEqual((await rounded.logits(prompt)).data);
    const { quantization_config } = JSON.parse(readFileSync(join(target, "config.json"), "utf8"));
    expect(quantization_config).toMatchObject({ format: "pack-quantized" });
    expect(quantization_config.config_groups.group_0.weights).toMatchObject({ num_bits: 4, group_size: 32 });
    const { tensors } = await readSafetensorsHeader(join(target, "model.safetensors"));
    const stored = (suffix: string) => tensors.get(`${down}_${suffix}`)!;
    expect([stored("packed").dtype, stored("packed").shape]).toEqual(["int32", [32, 8]]);
    expect([stored("scale").dtype, stored("scale").shape]).toEqual(["bfloat16", [32, 2]]);
    expect(new BigInt64Array(Uint8Array.from(await readTensor(stored("shape"))).buffer)).toEqual(
      BigInt64Array.of(32n, 64n),
    );
    expect(bytes).toBe(
      [...tensors.values()].reduce(
        (sum, { name, byteLength }) => sum + (name.endsWith("_shape") ? 0 : byteLength),
        0,
      ),
    );
    // Numbers by the definition of the format, against those of the source.
    const words = new Uint32Array(Uint8Array.from(await readTensor(stored("packed"))).buffer);
    const scales = new Uint16Array(Uint8Array.from(await readTensor(stored("scale"))).buffer);
    const before = (await openCheckpoint(source)).tensors.get(down)!;
    const numbers = new Float32Array(Uint8Array.from(await readTensor(before)).buffer);
    numbers.forEach((number, i) => {
      const scale = bfloat16ToFloat32(scales.subarray(i >> 5, (i >> 5) + 1))[0];
      const value = (((words[i >> 3] >>> (4 * (i % 8))) & 15) - 8) * scale;
      expect(Math.abs(value - number)).toBeLessThan(1.01 * Math.abs(scale));
    });
  });

  it("names the matrices that int4 leaves as they are, for other readers", async () => {
    const source = await tinyCheckpoint({ hidden_size: 48, intermediate_size: 96 });
    const target = join(directory(), "new");
    await convertCheckpoint(source, target, { to: "int4" });
    const { quantization_config } = JSON.parse(readFileSync(join(target, "config.json"), "utf8"));
    const stored = (await readSafetensorsHeader(join(target, "model.safetensors"))).tensors;
    const plain = [...stored.values()].filter(
      ({ name, shape }) => shape.length === 2 && name.endsWith(".weight"),
    );
    expect(quantization_config.ignore.map((name: string) => `${name}.weight`).sort()).toEqual(
      plain.map(({ name }) => name).sort(),
    );
    expect(quantization_config.ignore.length).toBe(8);
    expect((await loadModel(target)).layers.length).toBe(2);
  });

  it("stores int8 beside scales, everything else as it was", async () => {
    const source = await writeModel(directory());
    const target = join(directory(), "new");
    await convertCheckpoint(source, target, { to: "int8" });
    const [before, after] = [await openCheckpoint(source), await openCheckpoint(target)];
    const tensor = after.tensors.get(down)!;
    const scales = new Float32Array(Uint8Array.from(await readTensor(tensor.scale!)).buffer);
    const integers = Int8Array.from(await readTensor(tensor), (byte) => (byte << 24) >> 24);
    const numbers = new Float32Array(Uint8Array.from(await readTensor(before.tensors.get(down)!)).buffer);
    expect([tensor.dtype, tensor.shape, tensor.scale!.shape]).toEqual(["int8", [8, 12], [8, 1]]);
    for (let row = 0; row < 8; row++) {
      const values = numbers.subarray(12 * row, 12 * row + 12);
      expect(scales[row]).toBe(Math.fround(Math.max(...values.map(Math.abs)) / 127));
      values.forEach((value, i) => {
        expect(Math.abs(integers[12 * row + i] - value / scales[row])).toBeLessThan(0.501);
      });
    }
    for (const [name, { dtype }] of after.tensors) {
      if (dtype === "int8") continue;
      expect(await readTensor(after.tensors.get(name)!)).toEqual(await readTensor(before.tensors.get(name)!));
    }
  });

  it("converts to bfloat16 and says so in the config", async () => {
    const target = join(directory(), "new");
    await convertCheckpoint(await writeModel(directory()), target, { to: "bfloat16" });
    const { tensors, config } = await openCheckpoint(target);
    expect(new Set([...tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(["bfloat16"]));
    expect(config.torchDtype).toBe("bfloat16");
  });

  it("does not begin when it was interrupted before", async () => {
    const parent = directory();
    const signal = AbortSignal.abort();
    const source = await writeModel(directory());
    const error = await errorOf(convertCheckpoint(source, join(parent, "new"), { to: "int8", signal }));
    expect([error.code, readdirSync(parent)]).toEqual(["INTERRUPTED", []]);
  });

  it("removes nothing that it did not make, whatever the source is called", async () => {
    const parent = directory();
    const source = join(parent, "new.converting");
    mkdirSync(source);
    await writeModel(source);
    const error = await errorOf(convertCheckpoint(source, join(parent, "new"), { to: "int8" }));
    expect([error.code, readdirSync(parent)]).toEqual(["CONVERSION_OTHER", ["new.converting"]]);
    expect((await openCheckpoint(source)).tensors.get(down)?.dtype).toBe("float32");
  });

  it("widens an int8 checkpoint without keeping what it made on the way", async () => {
    const parent = directory();
    await convertCheckpoint(
      await tinyCheckpoint({ hidden_size: 128, intermediate_size: 512 }),
      join(parent, "int8"),
      { to: "int8" },
    );
    const { device } = await loadModel(join(parent, "int8"), { dtype: "bfloat16", skipZeros: false });
    const before = device.memory().bytesInUse;
    const model = await loadModel(join(parent, "int8"), { dtype: "bfloat16", skipZeros: false });
    await model.logits([1, 2]);
    expect(device.memory().bytesInUse - before).toBeLessThan(300_000); // 1.6 MB, were they kept;
  });

  it("touches nothing that is there", async () => {
    const source = await writeModel(directory());
    const target = directory();
    for (const place of [target, source, join(source, "config.json")]) {
      expect((await errorOf(convertCheckpoint(source, place, { to: "int8" }))).code).toBe(
        "CHECKPOINT_EXISTS",
      );
    }
    expect(readdirSync(target)).toEqual([]);
  });

  it("says where it cannot write, which weight it cannot round, and which types there are", async () => {
    const source = await writeModel(directory());
    for (const place of [join(source, "config.json", "new"), join(source, "no", "new")]) {
      const { code, message } = await errorOf(convertCheckpoint(source, place, { to: "int8" }));
      expect(message).toMatch(/[^ ]\. (Of the conversion, .*\. )?Run it again when that is mended\.$/);
      expect([code, existsSync(join(source, "no"))]).toEqual(["CHECKPOINT_UNWRITABLE", false]);
    }
    if (process.getuid?.() !== 0) {
      const locked = directory();
      chmodSync(locked, 0o500);
      const error = await errorOf(convertCheckpoint(source, join(locked, "new"), { to: "int8" }));
      expect(error.code).toBe("CHECKPOINT_UNWRITABLE");
    }
    const tensors = smallTensors();
    new Float32Array((tensors.find(({ name }) => name === down)!.data as Uint8Array).buffer)[5] = Infinity;
    const infinite = await writeModel(directory(), smallConfig, tensors);
    const parent = directory();
    const error = await errorOf(convertCheckpoint(infinite, join(parent, "new"), { to: "int8" }));
    expect([error.code, readdirSync(parent)]).toEqual(["WEIGHT_NOT_FINITE", []]);
    expect(error.message).toContain(down);
    const wrong = convertCheckpoint(source, join(parent, "new"), { to: "int2" as never });
    expect((await errorOf(wrong)).code).toBe("DTYPE_UNSUPPORTED");
    const threads = convertCheckpoint(source, join(parent, "new"), { to: "int8", threads: 0 });
    expect((await errorOf(threads)).code).toBe("THREADS_INVALID");
    const unknown = convertCheckpoint(source, join(parent, "new"), { to: "int8", dtype: "x" } as never);
    expect((await errorOf(unknown)).code).toBe("OPTION_UNKNOWN");
    const nothing = convertCheckpoint(source, undefined as never, undefined as never);
    expect((await errorOf(nothing)).code).toBe("ARGUMENT_INVALID");
    expect(readdirSync(parent)).toEqual([]);
  });
});

describe("an int8 checkpoint that is damaged", () => {
  const damaged = async (change: (tensors: ReturnType<typeof smallTensors>) => void) => {
    const folder = directory();
    const tensors = smallTensors();
    const index = tensors.findIndex(({ name }) => name === down);
    tensors[index] = { ...tensors[index], dtype: "int8", data: new Uint8Array(96) };
    tensors.push({ name: `${down}_scale`, dtype: "float32", shape: [8, 1], data: new Uint8Array(32) });
    change(tensors);
    writeFileSync(join(folder, "config.json"), JSON.stringify(smallConfig));
    await writeSafetensors(join(folder, "model.safetensors"), tensors);
    return openCheckpoint(folder);
  };
  const last = (change: object) => (tensors: ReturnType<typeof smallTensors>) =>
    Object.assign(tensors.at(-1)!, change);

  it("is one that opens without the damage", async () => {
    expect((await damaged(() => {})).tensors.get(down)?.dtype).toBe("int8");
  });

  it.each<[string, string, (tensors: ReturnType<typeof smallTensors>) => void]>([
    ["no scales", "TENSOR_MISSING", (tensors) => tensors.pop()],
    ["scales of another shape", "TENSOR_SHAPE", last({ shape: [4, 2] })],
    ["scales of another type", "TENSOR_DTYPE", last({ dtype: "bfloat16", data: new Uint8Array(16) })],
    [
      "scales of nothing",
      "TENSOR_UNEXPECTED",
      (tensors) => tensors.push({ ...tensors.at(-1)!, name: "x_scale" }),
    ],
    [
      "an int8 bias",
      "TENSOR_DTYPE",
      (tensors) => {
        const index = tensors.findIndex(({ name }) => name.endsWith("dense_4h_to_h.bias"));
        tensors[index] = { ...tensors[index], dtype: "int8", data: new Uint8Array(8) };
      },
    ],
  ])("%s", async (_, code, change) => {
    expect((await errorOf(damaged(change))).code).toBe(code);
  });
});

describe("an int4 checkpoint that is damaged", () => {
  const config = { ...smallConfig, intermediate_size: 32 };
  const damaged = async (change: (tensors: ReturnType<typeof smallTensors>) => void) => {
    const folder = directory();
    const tensors = smallTensors(config).filter(({ name }) => name !== down);
    tensors.push(
      { name: `${down}_packed`, dtype: "int32", shape: [8, 4], data: new Uint8Array(128) },
      { name: `${down}_scale`, dtype: "bfloat16", shape: [8, 1], data: new Uint8Array(16) },
    );
    change(tensors);
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    await writeSafetensors(join(folder, "model.safetensors"), tensors);
    return openCheckpoint(folder);
  };
  const at = (index: number, change: object) => (tensors: ReturnType<typeof smallTensors>) =>
    Object.assign(tensors.at(index)!, change);

  it("is one that opens without the damage, with a shape for other readers or without", async () => {
    expect((await damaged(() => {})).tensors.get(down)?.dtype).toBe("int4");
    const shape = { name: `${down}_shape`, dtype: "int64" as const, shape: [2], data: new Uint8Array(16) };
    const opened = await damaged((tensors) => tensors.push(shape));
    expect(opened.tensors.get(down)).toMatchObject({ dtype: "int4", shape: [8, 32] });
    expect(opened.tensors.has(shape.name)).toBe(false);
  });

  it.each<[string, string, (tensors: ReturnType<typeof smallTensors>) => void]>([
    ["no scales", "TENSOR_MISSING", (tensors) => tensors.pop()],
    ["no numbers", "TENSOR_MISSING", (tensors) => tensors.splice(-2, 1)],
    ["numbers of another shape", "TENSOR_SHAPE", at(-2, { shape: [4, 8] })],
    ["numbers of another type", "TENSOR_DTYPE", at(-2, { dtype: "float32" })],
    ["scales of another shape", "TENSOR_SHAPE", at(-1, { shape: [2, 4] })],
    ["scales of another type", "TENSOR_DTYPE", at(-1, { dtype: "float16" })],
    [
      "a packed bias",
      "TENSOR_MISSING",
      (tensors) => {
        const bias = tensors.find(({ name }) => name.endsWith("dense_4h_to_h.bias"))!;
        Object.assign(bias, { name: `${bias.name}_packed` });
      },
    ],
  ])("%s", async (_, code, change) => {
    expect((await errorOf(damaged(change))).code).toBe(code);
  });
});

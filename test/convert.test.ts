import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCheckpoint, readTensor, writeSafetensors } from "../src/checkpoint/index.js";
import { convertCheckpoint } from "../src/convert.js";
import { loadModel } from "../src/load_model.js";
import {
  errorOf,
  smallConfig,
  smallTensors,
  temporaryDirectories,
  writeModel,
} from "./checkpoint/support.js";
import { tinyCheckpoint } from "./support/tiny_checkpoint.js";

const directory = temporaryDirectories();
const down = "model.layers.0.mlp.dense_4h_to_h.weight";

describe("convertCheckpoint", () => {
  it("writes a checkpoint that loads as the source does with that dtype", async () => {
    const source = await tinyCheckpoint();
    const target = join(directory(), "new");
    const seen: number[] = [];
    const bytes = await convertCheckpoint(source, target, {
      to: "int8",
      onProgress: ({ loaded, total }) => seen.push(loaded / total),
    });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    const [converted, rounded] = [await loadModel(target), await loadModel(source, { dtype: "int8" })];
    expect(converted.weightBytes).toBe(bytes);
    const prompt = "the human";
    expect((await converted.logits(prompt)).data).toEqual((await rounded.logits(prompt)).data);
    expect(readdirSync(join(target, ".."))).toEqual(["new"]);
    const config = JSON.parse(readFileSync(join(target, "config.json"), "utf8"));
    expect(config.quantization_config).toMatchObject({ format: "int-quantized" });
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

  it("leaves nothing behind when it is interrupted, and can be started again", async () => {
    const source = await writeModel(directory());
    const parent = directory();
    const target = join(parent, "new");
    const stop = new AbortController();
    const onProgress = ({ loaded }: { loaded: number }) => loaded > 0 && stop.abort();
    const error = await errorOf(
      convertCheckpoint(source, target, { to: "int8", onProgress, signal: stop.signal }),
    );
    expect([error.code, readdirSync(parent)]).toEqual(["INTERRUPTED", []]);
    await convertCheckpoint(source, target, { to: "int8" });
    expect(readdirSync(parent)).toEqual(["new"]);
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
    const source = join(parent, "new.partial");
    mkdirSync(source);
    await writeModel(source);
    await convertCheckpoint(source, join(parent, "new"), { to: "int8" });
    expect(readdirSync(parent).sort()).toEqual(["new", "new.partial"]);
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
      const { code } = await errorOf(convertCheckpoint(source, place, { to: "int8" }));
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
    const wrong = convertCheckpoint(source, join(parent, "new"), { to: "int4" as never });
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

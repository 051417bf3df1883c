import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type NativeBuffer, native, nativeDType } from "../../src/native.js";
import { Device } from "../../src/tensor/device.js";
import * as ops from "../../src/tensor/ops/index.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { codeOf } from "../support/codes.js";
import { repositoryRoot } from "../support/shared.js";

const addon = native();
const { stream } = Device.cpu(2);

function floats(...values: number[]): NativeBuffer {
  const buffer = stream.allocate(4 * values.length, nativeDType.float32);
  stream.write(buffer, 0, new Uint8Array(Float32Array.from(values).buffer));
  return buffer;
}

function integers(...values: number[]): NativeBuffer {
  const buffer = stream.allocate(4 * values.length, nativeDType.int32);
  stream.write(buffer, 0, new Uint8Array(Int32Array.from(values).buffer));
  return buffer;
}

const bytes = (count: number) => stream.allocate(count, nativeDType.int8);
const nibbles = (count: number) => stream.allocate(count, nativeDType.int4);
const halves = (count: number) => stream.allocate(2 * count, nativeDType.bfloat16);
const row = (count: number) => stream.allocate(4 * count, nativeDType.float32);
/** Arguments of a product with a tile of int4 weights: 16 outputs of 32 inputs. */
const int4Product = (inputs: number, outputs: number) =>
  [row(outputs), row(inputs), nibbles(256), halves(16), null, 1, inputs, outputs] as const;

/** Sizes of one token of one head in one page. */
const sizes = {
  tokens: 1,
  heads: 1,
  headDim: 2,
  rotaryDims: 0,
  sequenceCount: 1,
  pagesPerSequence: 1,
  pageTokens: 4,
  pageCount: 1,
};
const pages = () => floats(...new Array(8).fill(1));
const append = (
  changes: Partial<typeof sizes>,
  cached = pages,
  keyScales: NativeBuffer | null = null,
  valueScales = keyScales,
) =>
  addon.cacheAppend(
    stream,
    floats(1, 1),
    floats(1, 1),
    { ...sizes, ...changes },
    integers(0),
    integers(0),
    cached(),
    cached(),
    integers(0),
    keyScales,
    valueScales,
  );

describe("no call of the addon leaves its buffers or ends the process, whatever it is given", () => {
  const one = floats(1);
  const big = 2 ** 32;
  it.each<[string, () => unknown]>([
    ["a count past the buffer", () => addon.add(stream, one, one, one, 2)],
    ["a negative count", () => addon.add(stream, one, one, one, -1)],
    ["a count that is no number", () => addon.add(stream, one, one, one, "x" as never)],
    ["a count that is a symbol", () => addon.add(stream, one, one, one, Symbol("x") as never)],
    [
      "a gate past its buffer",
      () => addon.linearWhere(stream, floats(1, 1), one, floats(1, 1), null, one, 1, 1, 2),
    ],
    [
      "rows behind a gate past their buffer",
      () => addon.linearWhere(stream, floats(1, 1), one, one, null, floats(1, 1), 1, 1, 2),
    ],
    ["an int8 weight behind a gate", () => addon.linearWhere(stream, one, one, bytes(4), null, one, 1, 1, 1)],
    ["int8 without scales", () => addon.linear(stream, one, one, bytes(4), null, null, 1, 1, 1)],
    ["scales of a weight that is not int8", () => addon.linear(stream, one, one, one, one, null, 1, 1, 1)],
    [
      "an int8 weight past its bytes",
      () => addon.linear(stream, one, floats(1), bytes(16 * 32 - 1), one, null, 1, 1, 1),
    ],
    [
      "an int8 weight by input past its bytes",
      () => addon.linearByInput(stream, one, floats(1, 1, 1, 1, 1), bytes(4), one, null, 1, 5, 1),
    ],
    ["int8 tiles past the result", () => addon.int8ToTiles(stream, bytes(511), bytes(1), 1, 1)],
    ["int8 tiles past what they are made from", () => addon.int8ToTiles(stream, bytes(512), bytes(1), 1, 2)],
    ["int8 from tiles past the result", () => addon.int8FromTiles(stream, bytes(1), bytes(512), 2, 1)],
    ["int8 from tiles past them", () => addon.int8FromTiles(stream, bytes(1), bytes(511), 1, 1)],
    ["int8 tiles whose sizes overflow", () => addon.int8ToTiles(stream, bytes(1), bytes(1), big, big * big)],
    [
      "scales past their buffer",
      () => addon.linear(stream, floats(1, 1), one, bytes(512), one, null, 1, 1, 2),
    ],
    ["an int8 bias", () => addon.linear(stream, one, one, one, null, bytes(4), 1, 1, 1)],
    [
      "rounding past the result",
      () => addon.quantizeRows(stream, bytes(4), one, floats(1, 1, 1, 1, 1), 1, 5),
    ],
    ["rounding past the scales", () => addon.quantizeRows(stream, bytes(4), one, floats(1, 1), 2, 1)],
    ["rounding int8", () => addon.quantizeRows(stream, bytes(4), one, bytes(4), 1, 4)],
    ["widening past the result", () => addon.dequantizeRows(stream, one, bytes(4), one, 1, 2)],
    ["an int4 weight past its bytes", () => addon.linear(stream, ...int4Product(32, 17))],
    ["an int4 weight of half a group", () => addon.linear(stream, ...int4Product(16, 1))],
    [
      "an int4 weight past its scales",
      () => addon.linear(stream, floats(1), row(32), nibbles(1024), halves(15), null, 1, 32, 1),
    ],
    [
      "an int4 weight with scales of float32",
      () => addon.linear(stream, floats(1), row(32), nibbles(1024), row(16), null, 1, 32, 1),
    ],
    ["an int4 weight by input past its bytes", () => addon.linearByInput(stream, ...int4Product(32, 1))],
    [
      "an int4 weight without scales",
      () => addon.linear(stream, one, row(32), nibbles(256), null, null, 1, 32, 1),
    ],
    [
      "rounding to int4 past the result",
      () => addon.quantizeGroups(stream, nibbles(15), halves(1), row(32), 1, 32),
    ],
    [
      "rounding to int4 past the weight",
      () => addon.quantizeGroups(stream, nibbles(16), halves(1), row(31), 1, 32),
    ],
    [
      "widening int4 past the result",
      () => addon.dequantizeGroups(stream, row(31), nibbles(16), halves(1), 1, 32),
    ],
    [
      "arranging int4 past the result",
      () => addon.arrangeGroups(stream, nibbles(16), halves(16), 1, nibbles(16), halves(1), 0, 1, 32),
    ],
    [
      "arranging int4 in an order that is none",
      () => addon.arrangeGroups(stream, nibbles(16), halves(1), 3, nibbles(16), halves(1), 0, 1, 32),
    ],
    [
      "arranging int4 from tiles by input",
      () => addon.arrangeGroups(stream, nibbles(1024), halves(64), 2, nibbles(256), halves(16), 1, 1, 32),
    ],
    [
      "int4 sizes that overflow",
      () => addon.quantizeGroups(stream, nibbles(16), halves(1), row(32), big * big, big),
    ],
    ["converting int4", () => addon.convert(stream, one, nibbles(4), 1)],
    ["exchanging axes of int4", () => addon.transposeWeight(stream, nibbles(16), nibbles(16), 1, 1)],
    ["counts past their buffer", () => addon.weightTraffic(stream, integers(0, 0, 0))],
    ["converting int8", () => addon.convert(stream, one, bytes(4), 1)],
    ["sizes whose product overflows to 0", () => addon.softmax(stream, one, one, big, big)],
    ["sizes whose product overflows", () => addon.linear(stream, one, one, one, null, null, big, big, big)],
    ["negative sizes with a good product", () => addon.linear(stream, one, one, one, null, null, -1, -1, -1)],
    ["heads and dimensions below 0", () => addon.splitHeads(stream, one, one, one, one, 1, -1, -1)],
    [
      "an odd number of rotated dimensions",
      () => addon.rotary(stream, one, one, one, one, integers(0), 1, 1, 1, 1, 1),
    ],
    ["an activation past the buffer", () => addon.gelu(stream, one, one, 2)],
    ["a broadcast result past the buffer", () => addon.addBroadcast(stream, one, one, one, 2, 1, 1, 1)],
    [
      "a broadcast operand of another size",
      () => addon.mulBroadcast(stream, floats(1, 2, 3, 4), floats(1, 2), floats(1, 2, 3), 2, 2, 2, 3),
    ],
    ["a scale that is no number", () => addon.scale(stream, one, one, "x" as never, 1)],
    ["a matrix that is absent", () => addon.linear(stream, one, one, null as never, null, null, 1, 1, 1)],
    ["rounding nothing", () => addon.quantizeRows(stream, bytes(4), one, null as never, 1, 4)],
    ["exchanging axes of nothing", () => addon.transposeWeight(stream, one, null as never, 1, 1)],
    ["counting in nothing", () => addon.countNonFiniteWeights(stream, integers(0), null as never, 1)],
    ["a weight that is absent", () => addon.rmsNorm(stream, one, one, null as never, 1, 1, 0)],
    ["a product whose sizes overflow", () => addon.matmul(stream, one, one, one, big, big, big, big)],
    ["a product past its second matrix", () => addon.matmul(stream, floats(1, 2), one, one, 1, 1, 1, 2)],
    ["a product into its own operand", () => addon.matmul(stream, one, one, floats(2), 1, 1, 1, 1)],
    [
      "attention past its keys",
      () => addon.attention(stream, floats(0, 0), floats(1, 1), one, one, 2, 2, 1, 1, 1, 1),
    ],
    ["attention to nothing", () => addon.attention(stream, floats(0), one, one, one, 1, 0, 1, 1, 1, 0)],
    [
      "causal attention of other lengths",
      () => addon.attention(stream, floats(0), one, floats(1, 1), floats(1, 1), 1, 2, 1, 1, 1, 1),
    ],
    ["more than a row has", () => addon.topK(stream, floats(0, 0), integers(0, 0), one, 1, 1, 2)],
    ["more kept than a row has", () => addon.keepTopK(stream, one, one, 1, 1, 2)],
    ["columns past their buffer", () => addon.gather(stream, floats(0, 0), one, integers(0), 1, 1, 2)],
    ["the mean of nothing", () => addon.mean(stream, one, one, 1, 0)],
    ["sums past the result", () => addon.sum(stream, one, floats(1, 1), 2, 1)],
    ["a slice past its end", () => addon.slice(stream, floats(0), 0, 4, one, 4, 4, 4, 1)],
    ["blocks past the result", () => addon.slice(stream, floats(0), 0, 4, floats(1, 2), 0, 4, 4, 2)],
    ["blocks that overlap", () => addon.concat(stream, floats(0, 0), 0, 2, floats(1, 2), 0, 4, 4, 2)],
    [
      "blocks whose extent overflows",
      () => addon.slice(stream, floats(0), 0, big, one, 0, big, 4, big ** 1.6),
    ],
    ["a slice of itself", () => addon.slice(stream, one, 0, 4, one, 0, 4, 4, 1)],
    ["a transposition past the buffer", () => addon.transpose(stream, floats(0), one, 1, 1, 2)],
    ["a transposition in place", () => addon.transpose(stream, one, one.view(0, 4, 0), 1, 1, 2)],
    ["rows without columns", () => addon.argmax(stream, integers(0), one, 1, 0)],
    ["draws in a list", () => addon.sample(stream, integers(0), one, 1, 1, 1, 0, 0, [0.5] as never)],
    [
      "draws of float32",
      () => addon.sample(stream, integers(0), one, 1, 1, 1, 0, 0, Float32Array.of(0.5) as never),
    ],
    ["too few draws", () => addon.sample(stream, integers(0), one, 1, 1, 1, 0, 0, new Float64Array(0))],
    [
      "generators past their buffer",
      () => addon.sampleSeeded(stream, integers(0), one, 1, 1, 1, 0, 0, integers(1, 2, 3)),
    ],
    [
      "results past their buffer",
      () => addon.advance(stream, integers(0), integers(0), null, integers(0), integers(0), null, 1),
    ],
    [
      "log-probabilities past their buffer",
      () => addon.advance(stream, integers(0, 0), integers(0, 0), null, row(4), integers(0, 0), one, 2),
    ],
    ["a reading past its buffer", () => stream.startRead(one, 0, 5)],
    ["no arguments", () => (addon.sample as (stream: unknown) => void)(stream)],
    ["int8 pages past their scales", () => append({}, () => bytes(8), floats(1, 1, 1))],
    ["int8 pages past the scales of values", () => append({}, () => bytes(8), row(4), row(3))],
    ["int8 pages past their bytes", () => append({ pageCount: 2 }, () => bytes(8), row(8))],
    ["int8 pages with scales of another type", () => append({}, () => bytes(8), halves(8))],
    ["pages of no positions", () => append({ pageTokens: 0 })],
    ["no tokens in pages of no positions", () => append({ tokens: 0, pageTokens: 0 })],
    ["heads of no dimensions", () => append({ headDim: 0 })],
    ["more sequences than the table has", () => append({ sequenceCount: 2 })],
    ["fewer than no sequences", () => append({ sequenceCount: -1, pagesPerSequence: -1 })],
    ["heads past 32 bits", () => append({ heads: big + 1 })],
    ["more rotated dimensions than a head has", () => append({ rotaryDims: 4 })],
    ["a view past the end", () => one.view(0, 8, 0)],
    ["a view from nowhere", () => one.view(Number.NaN, 4, 0)],
    ["a write past the end", () => stream.write(one, 1, new Uint8Array(4))],
    ["a read past the end", () => stream.readSync(one, 0, 8)],
    ["a copy past the end", () => addon.copyBytes(stream, one, 0, one, 4, 4)],
    ["a conversion past the end", () => addon.convert(stream, one, one, 2)],
    ["a fill past the end", () => addon.fillNormal(stream, one, 2, 0, 1, 1, 0)],
  ])("%s", (_, call) => {
    expect(codeOf(call)).toBe("NATIVE_BOUNDS");
    stream.synchronize();
  });

  it.each<[string, () => unknown]>([
    ["an object as a buffer", () => addon.add(stream, {} as never, {} as never, {} as never, 1)],
    ["an object as a stream", () => addon.add({} as never, one, one, one, 1)],
    ["a buffer as a stream", () => addon.add(one as never, one, one, one, 1)],
    ["a list as bytes", () => stream.write(one, 0, [1] as never)],
    ["a text as bytes", () => stream.write(one, 0, "abc" as never)],
    ["int8 pages without scales", () => append({}, () => bytes(8))],
    ["a text as threads", () => new addon.Stream("x" as never)],
    ["a reading that is none", () => stream.finishRead({})],
  ])("%s", (_, call) => expect(codeOf(call)).toBe("NATIVE_ARGUMENT"));

  it("sizes that no memory has", () => {
    for (const bytes of [-8, Number.NaN, Infinity, 1e17, 1e30, "x" as never]) {
      expect(codeOf(() => stream.allocate(bytes, 0))).toBe("OUT_OF_MEMORY");
      expect(codeOf(() => stream.reserve(bytes, 0))).toBe("OUT_OF_MEMORY");
    }
  });

  it("nothing to do is no error", () => {
    const none = stream.allocate(0, nativeDType.float32);
    addon.softmax(stream, none, none, 3, 0);
    addon.layerNorm(stream, none, none, none, none, 3, 0, 1e-5);
    addon.splitHeads(stream, none, none, none, none, 3, 4, 0);
    addon.rotary(stream, none, none, none, none, integers(0), 1, 2, 0, 0, 5);
    addon.linear(stream, none, one, none, null, null, 1, 1, 0);
    addon.gelu(stream, none, none, 0);
    addon.addBroadcast(stream, none, none, one, 3, 0, 0, 1);
    addon.rmsNorm(stream, none, none, none, 3, 0, 1e-5);
    addon.matmul(stream, none, none, none, 0, 3, 0, 5);
    addon.attention(stream, none, none, none, none, 0, 0, 2, 4, 1, 1);
    addon.topK(stream, none, integers(), none, 3, 0, 0);
    addon.keepTopK(stream, none, none, 3, 0, 0);
    addon.gather(stream, none, none, integers(), 3, 0, 0);
    addon.sum(stream, none, none, 0, 3);
    addon.slice(stream, none, 0, 0, one, 0, 0, 0, 3);
    addon.transpose(stream, none, none, 3, 0, 5);
    stream.synchronize();
  });
});

it("tensors of two devices cannot meet in an op", () => {
  const here = Tensor.from(Device.cpu(1), Float32Array.of(1, 2));
  const there = Tensor.from(Device.cpu(2), Float32Array.of(1, 2));
  expect(codeOf(() => ops.add(here, there))).toBe("DEVICE_MISMATCH");
  expect(codeOf(() => ops.add(there, here))).toBe("DEVICE_MISMATCH");
  const weight = Tensor.from(Device.cpu(1), Float32Array.of(1, 2), [1, 2]);
  expect(codeOf(() => ops.linear(there.reshape([1, 2]), weight))).toBe("DEVICE_MISMATCH");
  expect(ops.add(here, here).dataSync()).toEqual(Float32Array.of(2, 4));
});

describe("the end of the process", () => {
  /** Runs JavaScript in a process of its own, with the addon as `addon`. */
  function run(code: string) {
    const file = join(repositoryRoot, "build", "Release", "persimmon.node");
    const program = `const addon = require(${JSON.stringify(file)});
      const stream = new addon.Stream(2);
      const x = stream.reserve(4e7, 0);
      const work = () => { for (let i = 0; i < 100; i++) addon.reluSquared(stream, x, x, 1e7); };
      ${code}`;
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["-e", program], {
      encoding: "utf8",
      timeout: 20_000,
    });
    return { status, signal, stdout, stderr };
  }
  const clean = { status: 0, signal: null, stderr: "" };

  it("does not wait for work that nobody reads", () => {
    expect(run("work(); console.log('end');")).toEqual({ ...clean, stdout: "end\n" });
  });

  it("is clean with several streams", () => {
    const code = "globalThis.more = [new addon.Stream(1), new addon.Stream(3)]; work(); console.log('end');";
    expect(run(code)).toEqual({ ...clean, stdout: "end\n" });
  });

  it("waits for a read that is under way", () => {
    const code =
      "addon.reluSquared(stream, x, x, 1e7); stream.read(x, 0, 4).then((bytes) => console.log(bytes.byteLength));";
    expect(run(code)).toEqual({ ...clean, stdout: "4\n" });
  });

  it("process.exit() in the middle of work and reads is clean", () => {
    expect(run("work(); stream.read(x, 0, 4); setTimeout(() => process.exit(0), 20);")).toEqual({
      ...clean,
      stdout: "",
    });
  });

  it("an uncaught error in the middle of work is an ordinary one", () => {
    const { status, signal, stderr } = run("work(); stream.read(x, 0, 4); throw new Error('on purpose');");
    expect({ status, signal }).toEqual({ status: 1, signal: null });
    expect(stderr).toContain("on purpose");
  });

  it("a worker with a stream of its own can be terminated in the middle of work", () => {
    const code = `const { Worker } = require("node:worker_threads");
      const file = ${JSON.stringify(join(repositoryRoot, "build", "Release", "persimmon.node"))};
      const worker = new Worker(\`const addon = require(\${JSON.stringify(file)});
        const stream = new addon.Stream(2);
        const x = stream.reserve(4e7, 0);
        for (let i = 0; i < 100; i++) addon.reluSquared(stream, x, x, 1e7);
        stream.read(x, 0, 4);
        require("node:worker_threads").parentPort.postMessage("busy");\`, { eval: true });
      worker.on("message", () => worker.terminate().then(() => {
        addon.reluSquared(stream, x, x, 10);
        stream.synchronize();
        console.log("alive");
      }));`;
    expect(run(code)).toEqual({ ...clean, stdout: "alive\n" });
  });

  it("a weight beside scales is absent or released", () => {
    const one = floats(1);
    const released = bytes(512);
    released.release();
    for (const op of [addon.linear, addon.linearByInput]) {
      expect(codeOf(() => op(stream, one, one, null as never, one, null, 1, 1, 1))).toBe("NATIVE_ARGUMENT");
      expect(codeOf(() => op(stream, one, one, released, one, null, 1, 1, 1))).toBe("TENSOR_RELEASED");
    }
  });
});

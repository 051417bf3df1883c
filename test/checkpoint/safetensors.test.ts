import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readSafetensorsHeader, readTensor, writeSafetensors } from "../../src/checkpoint/index.js";
import { duplicateKey } from "../../src/checkpoint/json_keys.js";
import { PersimmonError } from "../../src/errors.js";
import { sharedOrSkip } from "../support/shared.js";
import { errorOf, temporaryDirectories } from "./support.js";

const directory = temporaryDirectories();

/** A file with the given header and data, whatever they are. */
function rawFile(header: unknown, data = new Uint8Array(0), length?: bigint): string {
  const path = join(directory(), "model.safetensors");
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length ?? BigInt(json.length));
  writeFileSync(path, Buffer.concat([start, json, data]));
  return path;
}

const pair = {
  a: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
  b: { dtype: "BF16", shape: [2, 1], data_offsets: [8, 12] },
};

describe("readSafetensorsHeader", () => {
  it("gives name, format, shape and place of every tensor", async () => {
    const path = rawFile({ __metadata__: { format: "pt" }, ...pair }, new Uint8Array(12));
    const { tensors, metadata, dataOffset } = await readSafetensorsHeader(path);
    expect(metadata).toEqual({ format: "pt" });
    expect([...tensors.values()]).toEqual([
      { name: "a", dtype: "float32", shape: [2], file: path, byteOffset: dataOffset, byteLength: 8 },
      { name: "b", dtype: "bfloat16", shape: [2, 1], file: path, byteOffset: dataOffset + 8, byteLength: 4 },
    ]);
  });

  const F32 = (shape: unknown, offsets: unknown) => ({ t: { dtype: "F32", shape, data_offsets: offsets } });
  const cases: [string, unknown, number, string, RegExp][] = [
    // title, header, bytes of data, code, message
    ["no JSON", "{,", 0, "SAFETENSORS_INVALID", /JSON/],
    ["a list", "[]", 0, "SAFETENSORS_INVALID", /JSON object/],
    ["a tensor that is a number", { t: 1 }, 0, "SAFETENSORS_INVALID", /"t".*object/],
    ["metadata of numbers", { __metadata__: { a: 1 } }, 0, "SAFETENSORS_INVALID", /__metadata__/],
    [
      "an unknown format",
      { t: { dtype: "F128", shape: [], data_offsets: [0, 16] } },
      16,
      "SAFETENSORS_INVALID",
      /F128/,
    ],
    [
      "an inherited format",
      { t: { dtype: "toString", shape: [], data_offsets: [0, 0] } },
      0,
      "SAFETENSORS_INVALID",
      /F16/,
    ],
    ["a negative dimension", F32([-1], [0, 4]), 4, "SAFETENSORS_INVALID", /shape/],
    ["a fractional dimension", F32([1.5], [0, 6]), 6, "SAFETENSORS_INVALID", /shape/],
    ["no offsets", F32([1], undefined), 4, "SAFETENSORS_INVALID", /data_offsets/],
    ["backward offsets", F32([1], [4, 0]), 4, "SAFETENSORS_INVALID", /data_offsets/],
    ["a shape that does not fill its bytes", F32([3], [0, 8]), 8, "SAFETENSORS_INVALID", /12 bytes.*hold 8/],
    ["a shape past all numbers", F32([2 ** 40, 2 ** 40], [0, 8]), 8, "SAFETENSORS_INVALID", /Infinity/],
    ["data that is cut off", pair, 11, "CHECKPOINT_TRUNCATED", /"b".*fetch it again/],
    ["data after the last tensor", pair, 13, "CHECKPOINT_TRAILING_BYTES", /1 bytes more/],
    [
      "an overlap",
      { ...pair, c: { dtype: "U8", shape: [2], data_offsets: [7, 9] } },
      12,
      "CHECKPOINT_OVERLAP",
      /"c".*"a"/,
    ],
    ["the same range twice", { ...pair, c: { ...pair.b } }, 12, "CHECKPOINT_OVERLAP", /"c".*"b"/],
    ["a gap", { b: pair.b }, 12, "CHECKPOINT_HOLE", /"b".*header/],
    [
      "one name twice",
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
      2,
      "SAFETENSORS_INVALID",
      /"a" twice/,
    ],
    [
      "one field twice",
      '{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}',
      1,
      "SAFETENSORS_INVALID",
      /"dtype" twice/,
    ],
  ];
  it.each(cases)("refuses %s", async (_title, header, bytes, code, message) => {
    const path = rawFile(header, new Uint8Array(bytes));
    const error = await errorOf(readSafetensorsHeader(path));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(path);
  });

  it("refuses a header length that cannot be", async () => {
    for (const length of [2n ** 63n, 2n ** 40n, 0n]) {
      expect((await errorOf(readSafetensorsHeader(rawFile("{}", undefined, length)))).code).toBe(
        "SAFETENSORS_INVALID",
      );
    }
    expect((await errorOf(readSafetensorsHeader(rawFile("{}", undefined, 50_000_000n)))).code).toBe(
      "CHECKPOINT_TRUNCATED",
    );
  });

  it("refuses a header that is not UTF-8", async () => {
    const path = rawFile('{"a":"?"}');
    const bytes = readFileSync(path);
    bytes[14] = 0xff;
    writeFileSync(path, bytes);
    expect((await errorOf(readSafetensorsHeader(path))).code).toBe("SAFETENSORS_INVALID");
  });

  it("says so when it meets a Git LFS pointer, an empty file, a directory or nothing", async () => {
    const path = rawFile("");
    writeFileSync(path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n");
    expect((await errorOf(readSafetensorsHeader(path))).message).toContain("git lfs pull");
    truncateSync(path, 0);
    expect((await errorOf(readSafetensorsHeader(path))).code).toBe("CHECKPOINT_TRUNCATED");
    expect((await errorOf(readSafetensorsHeader(directory()))).code).toBe("CHECKPOINT_UNREADABLE");
    expect((await errorOf(readSafetensorsHeader(join(directory(), "absent")))).code).toBe(
      "CHECKPOINT_UNREADABLE",
    );
  });

  it("gives a coded error or a sound result for any damage", async () => {
    const path = rawFile({ __metadata__: { format: "pt" }, ...pair }, new Uint8Array(12));
    const sound = readFileSync(path);
    const flip = fc.record({ at: fc.nat(sound.length - 1), bits: fc.integer({ min: 1, max: 255 }) });
    const damage = fc.record({ flips: fc.array(flip, { maxLength: 4 }), length: fc.nat(sound.length) });
    await fc.assert(
      fc.asyncProperty(damage, async ({ flips, length }) => {
        const bytes = Buffer.from(sound);
        for (const { at, bits } of flips) bytes[at] ^= bits;
        writeFileSync(path, bytes.subarray(0, flips.length > 0 ? sound.length : length));
        const result = await readSafetensorsHeader(path).catch((error: unknown) => error);
        if (result instanceof PersimmonError) return;
        expect(result).toHaveProperty("tensors");
        const { tensors } = result as Awaited<ReturnType<typeof readSafetensorsHeader>>;
        for (const tensor of tensors.values()) await readTensor(tensor);
      }),
      { numRuns: 400 },
    );
  });
});

describe("duplicateKey", () => {
  it("finds a key repeated in one object and only there", () => {
    expect(duplicateKey('{"a":{"b":1},"c":[{"b":1},{"b":2}],"b":"a"}')).toBeUndefined();
    expect(duplicateKey('{"x":["a","a"],"y":"\\"x\\":"}')).toBeUndefined();
    expect(duplicateKey('[{"a":1},{"q":{"z":[],"z":1}}]')).toBe("z");
    expect(duplicateKey('{"a\\"b":1,"a\\u0022b":2}')).toBe('a"b');
  });

  it("agrees with JSON.parse on random objects", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        // fast-check's JSON has no repeated keys; wrapping it twice makes one.
        expect(duplicateKey(text)).toBeUndefined();
        expect(duplicateKey(`{"k":${text},"l":0,"k":${text}}`)).toBe("k");
      }),
    );
  });
});

describe("writeSafetensors", () => {
  it("is read back bit for bit, and data lies at multiples of its element size", async () => {
    const path = join(directory(), "out.safetensors");
    const data = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 37) % 251);
    await writeSafetensors(
      path,
      [
        { name: "odd", dtype: "uint8", shape: [3], data: data(3) },
        { name: "wide", dtype: "float32", shape: [2, 2], data: async () => data(16) },
        { name: "narrow", dtype: "bfloat16", shape: [5], data: () => data(10) },
        { name: "ключ", dtype: "float16", shape: [], data: data(2) },
        { name: "none", dtype: "float32", shape: [0, 4], data: data(0) },
      ],
      { format: "pt", note: "naïve" },
    );
    const { tensors, metadata, dataOffset } = await readSafetensorsHeader(path);
    expect(metadata).toEqual({ format: "pt", note: "naïve" });
    expect(dataOffset % 64).toBe(0);
    const read = async (name: string) => [...(await readTensor(tensors.get(name)!))];
    expect(await read("odd")).toEqual([...data(3)]);
    expect(await read("wide")).toEqual([...data(16)]);
    expect(await read("narrow")).toEqual([...data(10)]);
    expect(await read("ключ")).toEqual([...data(2)]);
    expect(await read("none")).toEqual([]);
    expect(tensors.get("wide")!.byteOffset % 4).toBe(0);
    expect(tensors.get("narrow")!.byteOffset % 2).toBe(0);
  });

  it("leaves neither a new file nor a temporary one when it fails, and keeps the old one", async () => {
    const folder = directory();
    const path = join(folder, "out.safetensors");
    const one = { name: "a", dtype: "float32", shape: [1], data: new Uint8Array(4) } as const;
    await writeSafetensors(path, [one]);
    const before = readFileSync(path);
    const failing = { ...one, name: "b", data: new Uint8Array(5) };
    const error = await errorOf(writeSafetensors(path, [one, failing]));
    expect(error.code).toBe("TENSOR_INVALID");
    expect(error.message).toMatch(/"b".*4 bytes.*found 5/);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(await readdir(folder)).toEqual(["out.safetensors"]);
  });

  it("refuses two tensors of one name, the reserved name and impossible shapes", async () => {
    const path = join(directory(), "out.safetensors");
    const one = { name: "a", dtype: "float32", shape: [1], data: new Uint8Array(4) } as const;
    const codes = [
      [one, one],
      [{ ...one, name: "__metadata__" }],
      [{ ...one, shape: [-1] }],
      [{ ...one, shape: [2 ** 30, 2 ** 30] }],
      [{ ...one, dtype: "float99" as "float32" }],
    ].map(async (tensors) => (await errorOf(writeSafetensors(path, tensors))).code);
    expect(await Promise.all(codes)).toEqual(Array(5).fill("TENSOR_INVALID"));
    const nowhere = join(directory(), "absent", "out.safetensors");
    expect((await errorOf(writeSafetensors(nowhere, [one]))).code).toBe("CHECKPOINT_UNWRITABLE");
  });
});

sharedOrSkip("reference/tiny-f32", "a file of the reference implementation", (fixture) => {
  it("survives a round trip through the writer", async () => {
    const source = await readSafetensorsHeader(join(fixture, "reference.safetensors"));
    const path = join(directory(), "copy.safetensors");
    const copied = [...source.tensors.values()].map((tensor) => ({
      ...tensor,
      data: () => readTensor(tensor),
    }));
    await writeSafetensors(path, copied, source.metadata);
    const copy = await readSafetensorsHeader(path);
    expect(copy.metadata).toEqual(source.metadata);
    expect([...copy.tensors.keys()].sort()).toEqual([...source.tensors.keys()].sort());
    for (const [name, tensor] of source.tensors) {
      const again = copy.tensors.get(name)!;
      expect([again.dtype, again.shape]).toEqual([tensor.dtype, tensor.shape]);
      expect(Buffer.compare(await readTensor(again), await readTensor(tensor))).toBe(0);
    }
  });
});

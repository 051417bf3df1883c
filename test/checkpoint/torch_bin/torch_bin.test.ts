import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTensor } from "../../../src/checkpoint/index.js";
import { readTorchBin } from "../../../src/checkpoint/torch_bin/torch_bin.js";
import { PersimmonError } from "../../../src/errors.js";
import { repositoryRoot } from "../../support/shared.js";
import { errorOf, temporaryDirectories } from "../support.js";
import * as make from "./archive.js";

const directory = temporaryDirectories();

function write(bytes: Uint8Array): string {
  const path = join(directory(), "pytorch_model.bin");
  writeFileSync(path, bytes);
  return path;
}

const grid = make.floats(0, 1, 2, 3, 4, 5);
const pickle = make.stateDict({ w: make.tensor(make.storage("0", 6), 0, [2, 3], [3, 1]) });
const entries = () => make.torchEntries(pickle, { 0: grid });
const sound = make.makeZip(entries());

async function values(path: string, name: string): Promise<number[]> {
  const tensor = (await readTorchBin(path)).get(name)!;
  const bytes = await readTensor(tensor);
  return [...new Float32Array(Uint8Array.from(bytes).buffer)];
}

describe("a file that torch 2.13.0 wrote", () => {
  // grid = lambda: torch.arange(24, dtype=torch.float32).reshape(4, 6); d = collections.OrderedDict()
  // d["dense"] = grid(); d["alias"] = d["dense"]; d["rows"] = grid()[1:3]; views = grid()
  // d["transposed"] = views.t(); d["columns"] = views[:, 1::2]
  // d["half"] = torch.tensor([0.5, -2.0, 65504.0], dtype=torch.float16)
  // d["bfloat"] = torch.tensor([[1.0, 3.140625]], dtype=torch.bfloat16)
  // d["expanded"] = torch.tensor([7.0]).expand(2, 3); d["scalar"] = torch.tensor(9.0); d["empty"] = torch.zeros(0, 5)
  // d._metadata = collections.OrderedDict({"": {"version": 1}}); torch.save(d, "torch_views.bin")
  const path = join(repositoryRoot, "test", "checkpoint", "fixtures", "torch_views.bin");
  const range = (length: number, value: (index: number) => number) =>
    Array.from({ length }, (_, index) => value(index));

  it("gives dense tensors their place, at multiples of 64 bytes, and others their strides", async () => {
    const tensors = await readTorchBin(path);
    expect([...tensors.keys()]).toEqual(
      "dense alias rows transposed columns half bfloat expanded scalar empty".split(" "),
    );
    const dense = tensors.get("dense")!;
    expect(dense).toMatchObject({ dtype: "float32", shape: [4, 6], byteLength: 96, file: path });
    expect(dense).not.toHaveProperty("strides");
    expect(dense.byteOffset % 64).toBe(0);
    expect(tensors.get("alias")!.byteOffset).toBe(dense.byteOffset);
    expect(tensors.get("transposed")).toMatchObject({ shape: [6, 4], strides: [1, 6] });
    expect(tensors.get("columns")).toMatchObject({ shape: [4, 3], strides: [6, 2] });
    expect(tensors.get("expanded")).toMatchObject({ shape: [2, 3], strides: [0, 0], byteLength: 24 });
    expect(tensors.get("half")!.dtype).toBe("float16");
    expect(tensors.get("bfloat")).toMatchObject({ dtype: "bfloat16", shape: [1, 2] });
  });

  it("gives the elements of views in row-major order", async () => {
    expect(await values(path, "dense")).toEqual(range(24, (index) => index));
    expect(await values(path, "alias")).toEqual(range(24, (index) => index));
    expect(await values(path, "rows")).toEqual(range(12, (index) => index + 6));
    expect(await values(path, "transposed")).toEqual(
      range(24, (index) => (index % 4) * 6 + Math.floor(index / 4)),
    );
    expect(await values(path, "columns")).toEqual(
      range(12, (index) => Math.floor(index / 3) * 6 + (index % 3) * 2 + 1),
    );
    expect(await values(path, "expanded")).toEqual([7, 7, 7, 7, 7, 7]);
    expect(await values(path, "scalar")).toEqual([9]);
    expect(await values(path, "empty")).toEqual([]);
  });

  it("gives the bits of float16 and bfloat16", async () => {
    const tensors = await readTorchBin(path);
    expect([...(await readTensor(tensors.get("half")!))]).toEqual([0x00, 0x38, 0x00, 0xc0, 0xff, 0x7b]);
    expect([...(await readTensor(tensors.get("bfloat")!))]).toEqual([0x80, 0x3f, 0x49, 0x40]);
  });
});

describe("archives made here", () => {
  it("reads plain zip, zip64, and an archive with a comment alike", async () => {
    // Looks like an end record itself, except that its comment would not reach the end of the file.
    const comment = `PK\x05\x06${"and more ".repeat(5)}`;
    for (const options of [{}, { zip64: true }, { comment }, { zip64: true, comment }]) {
      expect(await values(write(make.makeZip(entries(), options)), "w")).toEqual([0, 1, 2, 3, 4, 5]);
    }
  });

  it("accepts a CRC-32 of 0, as torch writes when told to skip it, and no byteorder entry", async () => {
    const some = entries().filter(({ name }) => name !== "model/byteorder");
    some[0].crc = 0;
    expect(await values(write(make.makeZip(some)), "w")).toEqual([0, 1, 2, 3, 4, 5]);
  });

  const change = (index: number, changes: Partial<make.EntryToWrite>) => () =>
    make.makeZip(entries().map((entry, at) => (at === index ? { ...entry, ...changes } : entry)));
  const overlapping = () => {
    const both = make.stateDict({
      a: make.tensor(make.storage("0", 6), 0, [6], [1]),
      b: make.tensor(make.storage("1", 2), 0, [2], [1]),
    });
    // The data of storage 0 contains a whole entry for storage 1.
    const inner = make.makeZip([{ name: "model/data/1", data: make.floats(8, 9) }]).subarray(0, 50);
    const data = Buffer.concat([inner, Buffer.alloc(6)]);
    const list = make.torchEntries(both.subarray(), {}).slice(0, 2);
    const at = list.reduce((sum, entry) => sum + 30 + entry.name.length + entry.data.length, 0) + 30 + 12;
    const wide = make.stateDict({
      a: make.tensor(make.storage("0", 14), 0, [14], [1]),
      b: make.tensor(make.storage("1", 2), 0, [2], [1]),
    });
    list[0] = { ...list[0], data: wide };
    return make.makeZip([
      ...list,
      { name: "model/data/0", data },
      { name: "model/data/1", data: new Uint8Array(0), size: 8, headerOffset: at },
    ]);
  };
  const cases: [string, () => Uint8Array, string, RegExp][] = [
    ["a compressed entry", change(2, { method: 8 }), "ZIP_UNSUPPORTED", /"model\/data\/0" is compressed/],
    ["sizes as if compressed", change(2, { compressedSize: 3 }), "ZIP_UNSUPPORTED", /compressed/],
    ["an encrypted entry", change(2, { flags: 1 }), "ZIP_UNSUPPORTED", /encrypted/],
    ["a wrong checksum", change(0, { crc: 12345 }), "ZIP_INVALID", /CRC-32.*00003039/],
    [
      "a local header of another name",
      change(2, { localName: "model/data/1" }),
      "ZIP_INVALID",
      /contradicts/,
    ],
    ["an offset into other bytes", change(2, { headerOffset: 5 }), "ZIP_INVALID", /local header/],
    ["an offset past the end", change(2, { headerOffset: 1e6 }), "CHECKPOINT_TRUNCATED", /1000000/],
    ["data that runs into the directory", change(0, { size: 2000 }), "ZIP_INVALID", /central directory/],
    [
      "too few bytes for a storage",
      change(2, { data: grid.subarray(4) }),
      "ZIP_INVALID",
      /24 bytes, found 20/,
    ],
    [
      "too many bytes for a storage",
      change(2, { data: new Uint8Array(28) }),
      "ZIP_INVALID",
      /24 bytes, found 28/,
    ],
    ["big-endian data", change(1, { data: Buffer.from("big") }), "ZIP_UNSUPPORTED", /"big"/],
    [
      "a missing storage",
      () => make.makeZip(entries().filter((_, at) => at !== 2)),
      "ZIP_INVALID",
      /data\/0" is missing/,
    ],
    ["no pickle", () => make.makeZip(entries().slice(1)), "ZIP_INVALID", /data\.pkl.*found 0/],
    ["two entries of one name", () => make.makeZip([...entries(), entries()[1]]), "ZIP_INVALID", /byteorder/],
    [
      "a wrong count of entries",
      () => make.makeZip(entries(), { count: 3 }),
      "ZIP_INVALID",
      /counts 3.*has 4/,
    ],
    ["a missing end", () => sound.subarray(0, sound.length - 1), "ZIP_INVALID", /end record/],
    ["a missing start", () => sound.subarray(40), "CHECKPOINT_TRUNCATED", /central directory/],
    ["another format", () => Buffer.from("{}  "), "ZIP_INVALID", /zip archive/],
    ["a bare pickle", () => pickle, "ZIP_UNSUPPORTED", /before 1\.6/],
    ["a Git LFS pointer", () => Buffer.from("version https://git-lfs"), "ZIP_INVALID", /git lfs pull/],
    ["an empty file", () => new Uint8Array(0), "CHECKPOINT_TRUNCATED", /0 bytes/],
    [
      "two storages over the same bytes",
      overlapping,
      "CHECKPOINT_OVERLAP",
      /"model\/data\/0" and "model\/data\/1"/,
    ],
  ];
  it.each(cases)("refuses %s", async (_title, bytes, code, message) => {
    const path = write(bytes());
    const error = await errorOf(readTorchBin(path));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(path);
  });

  it("refuses a directory of an absurd size without reading it", async () => {
    const bytes = make.makeZip(entries(), { zip64: true });
    bytes.writeBigUInt64LE(2n ** 52n, bytes.length - 22 - 20 - 56 + 40);
    expect((await errorOf(readTorchBin(write(bytes)))).code).toBe("ZIP_INVALID");
    bytes.writeBigUInt64LE(2n ** 63n, bytes.length - 22 - 20 - 56 + 40);
    expect((await errorOf(readTorchBin(write(bytes)))).message).toContain("impossible value");
  });

  it("refuses tensors that overlap in part, and allows a tied one", async () => {
    const both = (offset: number, length: number) =>
      make.stateDict({
        a: make.tensor(make.storage("0", 6), 0, [3], [1]),
        b: make.tensor(make.storage("0", 6), offset, [length], [1]),
      });
    const file = (offset: number, length: number) =>
      write(make.makeZip(make.torchEntries(both(offset, length), { 0: grid })));
    expect(await values(file(3, 3), "b")).toEqual([3, 4, 5]);
    expect(await values(file(0, 3), "b")).toEqual([0, 1, 2]);
    expect((await errorOf(readTorchBin(file(2, 3)))).code).toBe("CHECKPOINT_OVERLAP");
    expect((await errorOf(readTorchBin(file(0, 2)))).code).toBe("CHECKPOINT_OVERLAP");
  });

  it("takes any stride of an axis of length 1 for dense", async () => {
    const views = { w: make.tensor(make.storage("0", 6), 3, [1, 3, 1], [99, 1, 0]) };
    const path = write(make.makeZip(make.torchEntries(make.stateDict(views), { 0: grid })));
    expect((await readTorchBin(path)).get("w")).not.toHaveProperty("strides");
    expect(await values(path, "w")).toEqual([3, 4, 5]);
  });

  it("bounds what a stride of 0 may describe", async () => {
    const huge = (shape: number[]) => {
      const views = {
        w: make.tensor(
          make.storage("0", 6),
          0,
          shape,
          shape.map(() => 0),
        ),
      };
      return write(make.makeZip(make.torchEntries(make.stateDict(views), { 0: grid })));
    };
    for (const shape of [
      [2 ** 30, 2 ** 30],
      [2 ** 20, 2 ** 20],
      [2 ** 18, 2],
    ]) {
      expect((await errorOf(readTorchBin(huge(shape)))).code).toBe("PICKLE_INVALID");
    }
    const tensor = (await readTorchBin(huge([2 ** 18]))).get("w")!;
    expect((await readTensor(tensor)).byteLength).toBe(2 ** 20);
  });

  it("gives a coded error or a sound result for any damage", async () => {
    const fixture = readFileSync(join(repositoryRoot, "test", "checkpoint", "fixtures", "torch_views.bin"));
    const path = write(sound);
    const flip = fc.record({ at: fc.nat(), bits: fc.integer({ min: 1, max: 255 }) });
    const damage = fc.record({
      flips: fc.array(flip, { maxLength: 4 }),
      length: fc.nat(),
      own: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ flips, length, own }) => {
        const bytes = Buffer.from(own ? sound : fixture);
        for (const { at, bits } of flips) bytes[at % bytes.length] ^= bits;
        writeFileSync(path, flips.length > 0 ? bytes : bytes.subarray(0, length % bytes.length));
        const result = await readTorchBin(path).catch((error: unknown) => error);
        if (result instanceof PersimmonError) return;
        expect(result).toBeInstanceOf(Map);
        for (const tensor of (result as Awaited<ReturnType<typeof readTorchBin>>).values())
          await readTensor(tensor);
      }),
      { numRuns: 600 },
    );
  });
});

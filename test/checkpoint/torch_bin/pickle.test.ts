import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readStateDict } from "../../../src/checkpoint/torch_bin/state_dict.js";
import { PersimmonError } from "../../../src/errors.js";
import * as make from "./archive.js";

function failure(pickle: Buffer): PersimmonError {
  try {
    readStateDict(pickle, "there (model/data.pkl)");
  } catch (error) {
    if (error instanceof PersimmonError) return error;
    throw error;
  }
  throw new Error("the pickle was accepted");
}

const head = "\x80\x02";
const six = make.storage("0", 6);
const w = make.tensor(six, 0, [2, 3], [3, 1]);
const dict = (...parts: (string | number | Uint8Array)[]) =>
  make.bytes(head, make.orderedDict, ...parts, ".");

describe("readStateDict", () => {
  it("gives views of storages", () => {
    const tensors = readStateDict(
      make.stateDict({ w, b: make.tensor(make.storage("1", 4, "HalfStorage"), 1, [2], [1]) }),
      "x",
    );
    expect(tensors.get("w")).toEqual({
      storage: { key: "0", dtype: "float32", length: 6 },
      offset: 0,
      shape: [2, 3],
      strides: [3, 1],
    });
    expect(tensors.get("b")).toMatchObject({ storage: { key: "1", dtype: "float16", length: 4 }, offset: 1 });
  });

  it("reads single items, plain dictionaries, the memo and attributes", () => {
    const views = readStateDict(
      make.bytes(head, "}", make.text("a"), w, "q\x05s", make.text("b"), "h\x05s."),
      "x",
    );
    // BINPUT stores what is on top: here the tensor, before SETITEM takes it.
    expect(views.get("b")).toBe(views.get("a"));
    const metadata = make.bytes("}", make.text("_metadata"), "}sb");
    expect(readStateDict(dict("(", make.text("w"), w, "u", metadata), "x").size).toBe(1);
  });

  it("reads integers of every width", () => {
    const offset = (opcodes: Uint8Array | string) => {
      const shape = make.bytes(make.tuple(make.integer(0)), make.tuple(make.integer(1)));
      const call = make.tuple(six, opcodes, shape, "\x89", make.orderedDict);
      const pickle = dict(make.text("w"), make.global("torch._utils", "_rebuild_tensor_v2"), call, "Rs");
      return readStateDict(pickle, "x").get("w")!.offset;
    };
    expect(offset("K\xc8")).toBe(200);
    expect(offset("M\x2c\x01")).toBe(300);
    expect(offset("J\x00\x00\x00\x40")).toBe(2 ** 30);
    expect(offset("\x8a\x00")).toBe(0);
    expect(offset("\x8a\x02\xff\x00")).toBe(255);
    expect(offset("\x8a\x05\x00\x00\x00\x00\x02")).toBe(2 ** 33);
  });

  const os = make.bytes(make.global("posix", "system"), make.tuple(make.text("touch /tmp/pwned")), "R");
  const refused: [string, Buffer, RegExp][] = [
    ["a call of the system", make.bytes(head, os, "."), /"posix\.system".*Nothing was executed/],
    [
      "a global that is not called",
      dict(make.text("w"), make.global("builtins", "eval"), "s"),
      /"builtins\.eval"/,
    ],
    [
      "another storage type",
      make.stateDict({ w: make.tensor(make.storage("0", 6, "LongStorage"), 0, [6], [1]) }),
      /"torch\.LongStorage"/,
    ],
    ["a parameter", dict(make.global("torch._utils", "_rebuild_parameter")), /_rebuild_parameter/],
    [
      "a dotted name",
      make.bytes(head, make.global("collections", "OrderedDict.update"), "."),
      /OrderedDict\.update/,
    ],
    ["control characters in a name", make.bytes(head, make.global("a\x1b[2J", "b"), "."), /\\u001b/],
    ["STACK_GLOBAL", make.bytes(head, make.text("os"), make.text("system"), "\x93."), /opcode 0x93/],
    ["INST", make.bytes(head, "(ios\nsystem\n."), /opcode 0x69/],
    ["OBJ", make.bytes(head, "(o."), /opcode 0x6f/],
    ["NEWOBJ", make.bytes(head, "))\x81."), /opcode 0x81/],
    ["EXT1", make.bytes(head, "\x82\x01."), /opcode 0x82/],
    ["a text of another protocol", make.bytes(head, "\x8c\x01a."), /opcode 0x8c/],
  ];
  it.each(refused)("refuses %s", (_title, pickle, message) => {
    const error = failure(pickle);
    expect(error.code).toBe("PICKLE_REFUSED");
    expect(error.message).toMatch(message);
    expect(error.message).toContain("Nothing was executed");
    expect(error.message).toContain("there (model/data.pkl)");
  });

  const storageOf = (...items: (string | Uint8Array)[]) =>
    dict(make.text("w"), make.tuple(...items), "Q", "s");
  const FloatStorage = make.global("torch", "FloatStorage");
  const damaged: [string, Buffer, RegExp][] = [
    ["nothing", Buffer.alloc(0), /ends in the middle/],
    ["another protocol", make.bytes("\x80\x04N."), /protocol 2/],
    ["no protocol", make.bytes("N."), /protocol 2/],
    ["no end", make.bytes(head, "}"), /ends in the middle/],
    ["an empty stack", make.bytes(head, "."), /empty stack/],
    ["values left over", make.bytes(head, "}}."), /left over/],
    ["a mark in place of a value", make.bytes(head, "(."), /empty stack/],
    ["an unopened group", make.bytes(head, "t."), /never opened/],
    ["an odd number of items", dict("(", make.text("w"), "u"), /items of no dictionary/],
    ["items of a list", make.bytes(head, "](", make.text("w"), w, "u."), /items of no dictionary/],
    ["an appended dictionary", make.bytes(head, "}Na."), /not a list/],
    ["attributes of a list", make.bytes(head, "]}b."), /attributes/],
    ["an unknown memo entry", make.bytes(head, "h\x07."), /value 7/],
    ["a name twice", dict("(", make.text("w"), w, make.text("w"), w, "u"), /"w" twice/],
    ["a key that is a tuple", dict(")Ns"), /key/],
    ["a root that is a list", make.bytes(head, "]."), /expected a dictionary/],
    ["a value that is a number", make.stateDict({ n: make.integer(3) }), /"n" to be a tensor/],
    ["a nested dictionary", make.stateDict({ n: make.bytes("}") }), /"n" to be a tensor/],
    ["a storage as a tensor", make.stateDict({ n: six }), /"n" to be a tensor/],
    ["a name that is a number", dict("K\x01", w, "s"), /not text/],
    ["a text past the end", make.bytes(head, "X\xff\xff\xff\xffabc"), /ends in the middle/],
    ["a text that is not UTF-8", make.bytes(head, "X\x01\x00\x00\x00\xff."), /UTF-8/],
    ["an endless global", make.bytes(head, "c", "a".repeat(5000)), /does not end/],
    ["an integer of 200 bytes", make.bytes(head, "\x8a\xc8", Buffer.alloc(200), "."), /200 bytes/],
    ["an integer of 64 bits", make.bytes(head, "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f."), /too large/],
    ["a call of a value", make.bytes(head, "})R."), /not a global/],
    [
      "a call without parameters",
      make.bytes(head, make.global("torch._utils", "_rebuild_tensor_v2"), ")R."),
      /unknown form/,
    ],
    ["a call of a storage type", make.bytes(head, FloatStorage, ")R."), /torch\.FloatStorage/],
    [
      "an OrderedDict of something",
      make.bytes(head, make.global("collections", "OrderedDict"), make.tuple("]"), "R."),
      /OrderedDict/,
    ],
    ["a short persistent id", storageOf(make.text("storage"), FloatStorage, make.text("0")), /unknown form/],
    [
      "an id of another kind",
      storageOf(make.text("module"), FloatStorage, make.text("0"), make.text("cpu"), make.integer(6)),
      /unknown form/,
    ],
    [
      "a negative length",
      make.stateDict({ w: make.tensor(make.storage("0", -6), 0, [1], [1]) }),
      /unknown form/,
    ],
    [
      "a storage of two lengths",
      make.stateDict({ w, v: make.tensor(make.storage("0", 7), 0, [1], [1]) }),
      /declared twice/,
    ],
    [
      "a tensor past its storage",
      make.stateDict({ w: make.tensor(six, 1, [2, 3], [3, 1]) }),
      /passes the 6 elements/,
    ],
    [
      "a stride past its storage",
      make.stateDict({ w: make.tensor(six, 0, [2, 3], [4, 1]) }),
      /passes the 6 elements/,
    ],
    ["a negative stride", make.stateDict({ w: make.tensor(six, 5, [2], [-1]) }), /unknown form/],
    ["a negative offset", make.stateDict({ w: make.tensor(six, -1, [2], [1]) }), /unknown form/],
    ["fewer strides than dimensions", make.stateDict({ w: make.tensor(six, 0, [2, 3], [1]) }), /one stride/],
    [
      "a tensor of a dictionary",
      make.stateDict({ w: make.tensor(make.bytes("}"), 0, [1], [1]) }),
      /unknown form/,
    ],
    ["a tensor of a tensor", make.stateDict({ w: make.tensor(w, 0, [1], [1]) }), /no storage/],
  ];
  it.each(damaged)("reports %s", (_title, pickle, message) => {
    const error = failure(pickle);
    expect(error.code).toBe("PICKLE_INVALID");
    expect(error.message).toMatch(message);
    expect(error.message).toContain("there (model/data.pkl)");
  });

  it("bounds values and memo entries, and has no depth to run out of", () => {
    expect(failure(make.bytes(head, Buffer.alloc(2_000_000, "}"))).message).toContain(
      "more than 250000 values",
    );
    const nested = make.bytes(head, Buffer.alloc(100_000, ")"), Buffer.alloc(99_999, "\x86", "latin1"), ".");
    expect(failure(nested).message).toContain("expected a dictionary");
    const memo = Buffer.alloc(5 * 300_000, "r");
    for (let index = 0; index < 300_000; index++) memo.writeUInt32LE(index, 5 * index + 1);
    expect(failure(make.bytes(head, "}", memo)).message).toContain("stores more than 250000");
  });

  it("gives a coded error or a dictionary for any stream of its own opcodes", () => {
    const opcodes = fc.constantFrom(
      ..."(N\x88\x89}])\x85\x86\x87tQRsuaeb.".split(""),
      "K\x00",
      "q\x00",
      "h\x00",
    );
    const values = fc.constantFrom(make.text("a"), six, w, Buffer.from(make.orderedDict), make.integer(-1));
    fc.assert(
      fc.property(fc.array(fc.oneof(opcodes, values), { maxLength: 30 }), (parts) => {
        try {
          expect(readStateDict(make.bytes(head, ...parts, "."), "x")).toBeInstanceOf(Map);
        } catch (error) {
          if (!(error instanceof PersimmonError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

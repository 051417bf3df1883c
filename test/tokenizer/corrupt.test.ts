import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PersimmonError } from "../../src/errors.js";
import { readSentencePieceFile } from "../../src/tokenizer/sentencepiece_file.js";
import { PieceType } from "../../src/tokenizer/specification.js";
import { Tokenizer } from "../../src/tokenizer/tokenizer.js";
import {
  bytePieces,
  errorOf,
  headPieces,
  lengthDelimited,
  type Piece,
  tinySettings,
  trainedVariants,
  varint,
  writeModel,
} from "./models.js";

const open = (data: Uint8Array) => new Tokenizer(readSentencePieceFile(data, "some.model"));

describe("damaged SentencePiece files", () => {
  it("refuses a file that is cut at any byte, and says where", async () => {
    const pieces = tinySettings.pieces.filter(([, , type]) => type !== PieceType.byte);
    const model = writeModel({ ...tinySettings, byteFallback: false, pieces });
    expect(open(model).vocabSize).toBe(pieces.length);
    for (let length = 0; length < model.length; length++) {
      const error = await errorOf(() => open(model.subarray(0, length)));
      expect(error.code).toBe("TOKENIZER_CORRUPT");
      expect(error.message).toContain("some.model");
      if (length > 0) expect(error.message).toMatch(/at byte \d+ of \d+/);
    }
  });

  it("refuses models of sentencepiece cut at any byte", () => {
    for (const name of ["persimmon", "rules"]) {
      const model = Buffer.from(trainedVariants().find((one) => one.name === name)!.model, "base64");
      for (let length = model.length - 1; length >= 0; length -= length > model.length - 1500 ? 1 : 7) {
        expect(() => open(model.subarray(0, length))).toThrow(PersimmonError);
      }
    }
  });

  it("never fails otherwise than with a coded error, whatever bytes change", () => {
    const model = Buffer.from(trainedVariants().find((one) => one.name === "rules")!.model, "base64");
    const change = fc.tuple(fc.integer({ min: 0, max: model.length - 1 }), fc.integer({ min: 0, max: 255 }));
    // Half of the changes hit the last 1300 bytes, where the settings and the replacement rules are.
    const late = fc.tuple(
      fc.integer({ min: model.length - 1300, max: model.length - 1 }),
      fc.integer({ min: 0, max: 255 }),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(change, late), { minLength: 1, maxLength: 6 }), (changes) => {
        const damaged = Buffer.from(model);
        for (const [at, byte] of changes) damaged[at] = byte;
        try {
          const tokenizer = open(damaged);
          const ids = tokenizer.encode("The persimmon ﬁne ①② ＡＢ　e\u0301 |ENDOFTEXT| \t日本 😀");
          for (const id of ids) expect(id).toBeLessThan(tokenizer.vocabSize);
          expect(typeof tokenizer.decode(ids)).toBe("string");
        } catch (error) {
          expect(error).toBeInstanceOf(PersimmonError);
          expect((error as PersimmonError).code).toMatch(/^TOKENIZER_(CORRUPT|UNSUPPORTED)$/);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("never fails otherwise than with a coded error on any bytes at all", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        expect(() => open(data)).toThrow(PersimmonError);
      }),
      { numRuns: 500 },
    );
  });

  const cases: [string, Uint8Array, RegExp][] = [
    [
      "a Git LFS pointer",
      Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
      /Git LFS pointer/,
    ],
    ["a web page", Buffer.from("<!DOCTYPE html><html></html>"), /at byte/],
    [
      "a piece that claims more bytes than there are",
      Buffer.concat([varint(10), varint(2 ** 40)]),
      /1099511627776 bytes with/,
    ],
    ["a number without end", Buffer.from([0x0a, ...Array(11).fill(0xff)]), /more than 10 bytes/],
    ["field number 0", Buffer.from([0x00, 0x01]), /field number 0/],
    ["a group", Buffer.from([0x0b, 0x0c]), /wire type 3/],
    ["pieces that are numbers", Buffer.from([0x08, 0x01]), /wire type 0 where 2 belongs/],
    ["no piece at all", writeModel({ pieces: [] }), /none of its 0 pieces is the unknown piece/],
    ["a piece without text", writeModel({ pieces: [...headPieces, ["", -1]] }), /piece 3 without text/],
    [
      "a score that is no number",
      writeModel({ pieces: [...headPieces, ["a", Number.NaN]] }),
      /piece 3 with score NaN/,
    ],
    [
      "an infinite score",
      writeModel({ pieces: [...headPieces, ["a", Number.NEGATIVE_INFINITY]] }),
      /score -Infinity/,
    ],
    ["an unknown type", writeModel({ pieces: [...headPieces, ["a", -1, 9]] }), /piece 3 of type 9/],
    [
      "a piece that is not UTF-8",
      writeModel({ pieces: [...headPieces, [Buffer.from([0xc3]), -1]] }),
      /piece 3 is not UTF-8/,
    ],
    [
      "the same piece twice",
      writeModel({ pieces: [...headPieces, ["a", -1], ["a", -2]] }),
      /pieces 3 and 4 are both "a"/,
    ],
    [
      "the same control piece twice",
      writeModel({ pieces: [...headPieces, ["<s>", 0, 3]] }),
      /pieces 1 and 3/,
    ],
    [
      "two unknown pieces",
      writeModel({ pieces: [...headPieces, ["<what>", 0, 2]] }),
      /pieces 0 and 3 are both the unknown/,
    ],
    [
      "a byte piece that is no byte",
      writeModel({ byteFallback: true, pieces: [...headPieces, ["<0xG0>", 0, 6]] }),
      /byte piece 3/,
    ],
    [
      "byte pieces without byte fallback",
      writeModel({ pieces: [...headPieces, ...bytePieces] }),
      /byte fallback is off/,
    ],
    [
      "a missing byte",
      writeModel({
        byteFallback: true,
        pieces: [...headPieces, ...bytePieces.filter((_, byte) => byte !== 0x41)],
      }),
      /<0x41> is missing/,
    ],
    ["an endless piece", writeModel({ pieces: [...headPieces, ["a".repeat(5000), -1]] }), /5000 bytes long/],
    [
      "two sets of settings",
      Buffer.concat([writeModel(tinySettings), lengthDelimited(3, Buffer.alloc(0))]),
      /second/,
    ],
    [
      "no settings",
      Buffer.concat([lengthDelimited(1, lengthDelimited(1, Buffer.from("a")))]),
      /no trainer_spec/,
    ],
  ];
  it.each(cases)("says what is wrong with %s", async (_name, data, message) => {
    const error = await errorOf(() => open(data));
    expect(error.code).toBe("TOKENIZER_CORRUPT");
    expect(error.message).toMatch(message);
    expect(error.message).toContain("some.model");
  });

  it("refuses models that are whole but of a kind that it cannot read", async () => {
    const pieces: Piece[] = [...headPieces, ["a", -1]];
    const bpe = await errorOf(() => open(writeModel({ pieces, modelType: 2 })));
    expect([bpe.code, bpe.message]).toEqual(["TOKENIZER_UNSUPPORTED", expect.stringContaining("BPE")]);
    const denormalizer = await errorOf(() =>
      open(writeModel({ pieces, denormalizerCharsmap: Buffer.from("rules") })),
    );
    expect(denormalizer.code).toBe("TOKENIZER_UNSUPPORTED");
  });

  it("passes over fields that it does not know", () => {
    const extra = Buffer.concat([
      varint(250 * 8),
      varint(7),
      varint(251 * 8 + 1),
      Buffer.alloc(8),
      lengthDelimited(252, Buffer.from("x")),
    ]);
    expect(open(Buffer.concat([extra, writeModel(tinySettings), extra])).vocabSize).toBe(
      tinySettings.pieces.length,
    );
  });
});

describe("damaged replacement rules", () => {
  const pieces: Piece[] = [...headPieces, ["a", -1]];
  const charsmap = (trieBytes: number, units: number[], rest: string) => {
    const blob = Buffer.alloc(4 + units.length * 4 + rest.length);
    blob.writeUInt32LE(trieBytes, 0);
    for (const [index, unit] of units.entries()) blob.writeUInt32LE(unit >>> 0, 4 + index * 4);
    blob.write(rest, 4 + units.length * 4, "latin1");
    return blob;
  };

  it.each([
    ["a size past the end", charsmap(4000, [0], "x\0")],
    ["a size of 0", charsmap(0, [], "x\0")],
    ["a size that is no multiple of 4", charsmap(5, [0, 0], "x\0")],
    ["less than a size", Buffer.from([1, 0])],
    ["replacements without an end", charsmap(4, [0], "xy")],
  ])("refuses %s", async (_name, blob) => {
    const error = await errorOf(() => open(writeModel({ pieces, charsmap: blob })));
    expect(error.code).toBe("TOKENIZER_CORRUPT");
    expect(error.message).toContain("precompiled_charsmap");
  });

  it("refuses a rule that points past the replacements, when a text meets it", async () => {
    // Unit 0 leads to block 256 (offset 1 shifted by 8); there the byte 'a' has a value, in the unit at 256 +
    // 'a' ^ offset.
    const units = Array<number>(512).fill(0);
    units[0] = (1 << 10) | (1 << 9);
    units[256 ^ 0x61] = 0x61 | (1 << 8) | (1 << 10);
    units[256 ^ 0x61 ^ 1] = 0x80000000 | 999;
    const tokenizer = open(writeModel({ pieces, charsmap: charsmap(2048, units, "b\0") }));
    expect(tokenizer.encode("x")).toEqual([0]);
    expect((await errorOf(() => tokenizer.encode("a"))).code).toBe("TOKENIZER_CORRUPT");
  });
});

import { describe, expect, it } from "vitest";
import {
  errorOf,
  headPieces,
  streamed,
  tinyByte,
  tinySettings,
  tinyTokenizer,
  tokenizerOf,
} from "./models.js";

const tokenizer = tinyTokenizer();
const idsOf = (...pieces: string[]) => pieces.map((piece) => tokenizer.idOf(piece)!);

describe("encode", () => {
  it("puts ▁ in front, and |ENDOFTEXT| when asked to", () => {
    expect(tokenizer.encode("return")).toEqual(idsOf("▁return"));
    expect(tokenizer.encode("return", { bos: true })).toEqual([3, ...idsOf("▁return")]);
    expect(tokenizer.encode("")).toEqual([]);
    expect(tokenizer.encode("", { bos: true })).toEqual([3]);
  });

  it("spells what no piece covers in bytes", () => {
    expect(tokenizer.encode("é")).toEqual([...idsOf("▁"), tinyByte(0xc3), tinyByte(0xa9)]);
    expect(tokenizer.encode("\n")).toEqual([...idsOf("▁"), tinyByte(0x0a)]);
  });

  it("matches user-defined pieces, and never control, unknown, byte or unused ones", () => {
    expect(tokenizer.encode("t|ENDOFTEXT|t")).toEqual(idsOf("▁", "t", "|ENDOFTEXT|", "t"));
    for (const name of ["|CONTROL|", "<s>", "</s>", "<unk>", "<0x41>", "unused"]) {
      expect(tokenizer.encode(name)).not.toContain(tokenizer.idOf(name));
      expect(tokenizer.decode(tokenizer.encode(name))).toBe(name);
    }
    expect(tokenizer.encode("unused")).toEqual(idsOf("▁", "un", "used"));
  });

  it("refuses what is not a string", async () => {
    for (const value of [undefined, null, 7, ["a"]]) {
      const error = await errorOf(() => tokenizer.encode(value as unknown as string));
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.message).toContain("expected a string");
    }
  });

  it("refuses to start with a piece that the vocabulary lacks", async () => {
    const without = tokenizerOf({
      pieces: [
        ["<unk>", 0, 2],
        ["a", -1],
      ],
      byteFallback: false,
    });
    expect(without.bosId).toBeUndefined();
    expect(without.endOfTextId).toBeUndefined();
    expect((await errorOf(() => without.encode("a", { bos: true }))).code).toBe("TOKENIZER_NO_BOS");
  });
});

describe("decode", () => {
  it("drops the first ▁ alone, hides control pieces and shows unknown ones", () => {
    expect(tokenizer.decode(idsOf("▁▁▁▁return", "▁return"))).toBe("   return return");
    expect(tokenizer.decode([1, ...idsOf("▁return"), 2, 4])).toBe("return");
    expect(tokenizer.decode([0])).toBe(" \u2047 ");
    expect(tokenizer.decode(new Set(idsOf("▁return")))).toBe("return");
  });

  it("writes one U+FFFD for each byte that belongs to no character", () => {
    const bytes = (...values: number[]) => values.map(tinyByte);
    expect(tokenizer.decode(bytes(0xf0, 0x9f, 0x90))).toBe("\ufffd\ufffd\ufffd");
    expect(tokenizer.decode(bytes(0x41, 0xff, 0x42))).toBe("A\ufffdB");
    expect(tokenizer.decode(bytes(0xe0, 0x80, 0x80, 0xc3, 0xa9))).toBe("\ufffd\ufffd\ufffdé");
    expect(tokenizer.decode(bytes(0xed, 0xa0, 0x80))).toBe("\ufffd\ufffd\ufffd");
    expect(tokenizer.decode([...bytes(0xe6, 0x97), ...idsOf("▁return")])).toBe("\ufffd\ufffd return");
    // A byte order mark is a character like any other.
    expect(tokenizer.decode(bytes(0xef, 0xbb, 0xbf))).toBe("\ufeff");
  });

  it("names the id, its index and the size of the vocabulary when an id is out of range", async () => {
    const size = tokenizer.vocabSize;
    for (const id of [-1, size, 1.5, Number.NaN, 2 ** 40]) {
      const error = await errorOf(() => tokenizer.decode([1, 2, id]));
      expect(error.code).toBe("TOKEN_ID_OUT_OF_RANGE");
      expect(error.message).toContain(`token id ${id} at index 2`);
      expect(error.message).toContain(`${size}`);
      expect((await errorOf(() => tokenizer.pieceOf(id))).code).toBe("TOKEN_ID_OUT_OF_RANGE");
      const stream = tokenizer.decodeStream();
      stream.push(1);
      expect((await errorOf(() => stream.push(id))).message).toContain(`token id ${id} at index 1`);
      expect((await errorOf(() => tokenizer.decodeStream({ after: [id] }))).code).toBe(
        "TOKEN_ID_OUT_OF_RANGE",
      );
    }
    expect((await errorOf(() => tokenizer.decode(["1" as unknown as number]))).code).toBe(
      "TOKEN_ID_OUT_OF_RANGE",
    );
    for (const value of [undefined, 5, "12"]) {
      const error = await errorOf(() => tokenizer.decode(value as unknown as number[]));
      expect(error.code).toBe("INVALID_ARGUMENT");
    }
  });

  it("uses the surface that the file gives to unknown pieces", () => {
    const named = tokenizerOf({ ...tinySettings, unknownSurface: "[?]" });
    expect(named.decode([0])).toBe("[?]");
  });
});

describe("decodeStream", () => {
  it("keeps the leading spaces of what is generated after a prompt", () => {
    const generated = idsOf("▁▁▁▁return");
    expect(streamed(tokenizer, generated, tokenizer.encode("nested"))).toBe("    return");
    expect(streamed(tokenizer, generated)).toBe("   return");
    // Nothing was decoded before it, so the dummy space is still to come off.
    expect(streamed(tokenizer, generated, [1])).toBe("   return");
  });

  it("gives a character that the prompt begins to the stream that completes it", () => {
    const [first, ...rest] = [...Buffer.from("😀")].map(tinyByte);
    expect(streamed(tokenizer, rest, [first!])).toBe("😀");
  });

  it("holds a character back until it is whole", () => {
    const stream = tokenizer.decodeStream();
    const bytes = [...Buffer.from("😀")].map(tinyByte);
    expect(bytes.map((id) => stream.push(id))).toEqual(["", "", "", "😀"]);
    expect(stream.push(bytes[0]!)).toBe("");
    expect(stream.push(tokenizer.idOf("e")!)).toBe("\ufffde");
    expect(stream.push(bytes[0]!)).toBe("");
    expect(stream.end()).toBe("\ufffd");
  });
});

describe("pieces", () => {
  it("finds pieces by id and by text", () => {
    expect(tokenizer.pieceOf(0)).toBe("<unk>");
    expect(tokenizer.pieceOf(3)).toBe("|ENDOFTEXT|");
    expect(tokenizer.pieceOf(tinyByte(0x41))).toBe("<0x41>");
    expect(tokenizer.idOf("<0x41>")).toBe(tinyByte(0x41));
    expect(tokenizer.idOf("日本")).toBe(tokenizer.vocabSize - 1);
    expect(tokenizer.idOf("本")).toBeUndefined();
    expect(tokenizer.idOf("")).toBeUndefined();
  });

  it("starts with |ENDOFTEXT|, else with the piece that the file names", () => {
    expect(tokenizer.bosId).toBe(3);
    expect(tokenizer.endOfTextId).toBe(3);
    const plain = tokenizerOf({ pieces: [...headPieces, ["a", -1]] });
    expect([plain.bosId, plain.endOfTextId]).toEqual([1, 2]);
    const named = tokenizerOf({
      pieces: [...headPieces, ["go", 0, 3], ["end", 0, 3]],
      bosPiece: "go",
      eosPiece: "end",
    });
    expect([named.bosId, named.endOfTextId]).toEqual([3, 4]);
  });
});

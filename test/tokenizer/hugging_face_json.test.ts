import { describe, expect, it } from "vitest";
import { readHuggingFaceJson } from "../../src/tokenizer/hugging_face_json.js";
import { readSentencePieceFile } from "../../src/tokenizer/sentencepiece_file.js";
import { PieceType } from "../../src/tokenizer/specification.js";
import { Tokenizer } from "../../src/tokenizer/tokenizer.js";
import { errorOf, trainedVariants } from "./models.js";

const vocab = [
  ["<unk>", 0],
  ["<s>", 0],
  ["</s>", 0],
  ["▁", -1],
  ["a", -2],
  ["▁a", -2.5],
  ["b", -3],
];
const prepend = { type: "Prepend", prepend: "▁" };
const escapeSpaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
const squeeze = { type: "Replace", pattern: { Regex: " {2,}" }, content: "▁" };

const read = (value: unknown) =>
  new Tokenizer(
    readHuggingFaceJson(typeof value === "string" ? value : JSON.stringify(value), "some/tokenizer.json"),
  );
const withModel = (fields: object, rest: object = {}) => ({
  model: { type: "Unigram", unk_id: 0, vocab, ...fields },
  normalizer: { type: "Sequence", normalizers: [prepend, escapeSpaces] },
  ...rest,
});

describe("tokenizer.json", () => {
  // The same vocabularies as sentencepiece.test.ts, in the layout that Hugging Face's converter writes.
  const variants = trainedVariants().filter((one) => !one.name.includes("suffix"));
  it.each(variants)("gives the ids of the tokenizer.model it stands for: $name", (variant) => {
    const file = readSentencePieceFile(Buffer.from(variant.model, "base64"), "model");
    const original = new Tokenizer(file);
    const names = Array.from(file.pieces.types, (_, id) => original.pieceOf(id));
    const { charsmap, removeExtraWhitespaces, addDummyPrefix } = file.normalizer;
    const steps: object[] = [];
    if (charsmap.length > 0) {
      steps.push({ type: "Precompiled", precompiled_charsmap: Buffer.from(charsmap).toString("base64") });
    }
    if (removeExtraWhitespaces) steps.push({ type: "Strip", strip_left: false, strip_right: true }, squeeze);
    const isSpecial = (id: number) => file.pieces.types[id] === PieceType.control;
    const tokenizer = read({
      added_tokens: names
        .map((content, id) => ({ id, content, special: isSpecial(id) }))
        .filter(({ id }) => isSpecial(id) || file.pieces.types[id] === PieceType.userDefined),
      normalizer: { type: "Sequence", normalizers: steps },
      pre_tokenizer: {
        type: "Metaspace",
        replacement: "▁",
        prepend_scheme: addDummyPrefix ? "always" : "never",
        split: false,
      },
      model: {
        type: "Unigram",
        unk_id: 0,
        byte_fallback: file.byteFallback,
        vocab: names.map((name, id) => [name, file.pieces.scores[id]]),
      },
    });
    for (const { text, ids } of variant.texts) {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
    }
    for (const { ids, decoded } of variant.sequences) {
      expect({ ids, decoded: tokenizer.decode(ids) }).toEqual({ ids, decoded });
    }
  });

  it("reads the dummy prefix from Prepend or Metaspace", () => {
    const encode = (normalizer: unknown, preTokenizer: unknown = null) =>
      read(withModel({}, { normalizer, pre_tokenizer: preTokenizer })).encode("a b");
    expect(encode({ type: "Sequence", normalizers: [prepend, escapeSpaces] })).toEqual([5, 3, 6]);
    expect(encode(escapeSpaces)).toEqual([4, 3, 6]);
    expect(encode(null, { type: "Metaspace", prepend_scheme: "first", split: false })).toEqual([5, 3, 6]);
    expect(encode(null, { type: "Metaspace", prepend_scheme: "never", split: false })).toEqual([4, 3, 6]);
    expect(encode(null, { type: "Metaspace", add_prefix_space: true })).toEqual([5, 3, 6]);
    // Spaces that nothing escapes are unknown: this vocabulary has none.
    expect(encode(null)).toEqual([4, 0, 6]);
  });

  it("appends added tokens that come after the vocabulary", () => {
    const tokenizer = read(withModel({}, { added_tokens: [{ id: 7, content: "<new>", special: false }] }));
    expect(tokenizer.vocabSize).toBe(8);
    expect(tokenizer.encode("a<new>b")).toEqual([5, 7, 6]);
  });

  it("never lets text spell a special token other than |ENDOFTEXT|", () => {
    const tokenizer = read(
      withModel(
        { vocab: [...vocab, ["|ENDOFTEXT|", 0]] },
        {
          added_tokens: [
            { id: 7, content: "|ENDOFTEXT|", special: true },
            { id: 8, content: "<mark>", special: true },
          ],
        },
      ),
    );
    expect(tokenizer.encode("a<mark>")).not.toContain(8);
    expect(tokenizer.encode("<s>")).not.toContain(1);
    expect(tokenizer.encode("a|ENDOFTEXT|")).toEqual([5, 7]);
    expect(tokenizer.endOfTextId).toBe(7);
  });

  it.each<[string, unknown, string, RegExp]>([
    ["no JSON", "{", "TOKENIZER_CORRUPT", /not JSON/],
    ["no model", {}, "TOKENIZER_CORRUPT", /no object under "model"/],
    ["another kind of model", { model: { type: "BPE" } }, "TOKENIZER_UNSUPPORTED", /"BPE"/],
    ["an empty vocabulary", withModel({ vocab: [] }), "TOKENIZER_CORRUPT", /model.vocab/],
    [
      "a piece without score",
      withModel({ vocab: [["<unk>", 0], ["a"]] }),
      "TOKENIZER_CORRUPT",
      /vocab\[1\] is \["a"\]/,
    ],
    [
      "an empty piece",
      withModel({
        vocab: [
          ["<unk>", 0],
          ["", -1],
        ],
      }),
      "TOKENIZER_CORRUPT",
      /vocab\[1\]/,
    ],
    [
      "half a surrogate pair",
      withModel({
        vocab: [
          ["<unk>", 0],
          ["\ud800", -1],
        ],
      }),
      "TOKENIZER_CORRUPT",
      /surrogate/,
    ],
    ["a piece twice", withModel({ vocab: [...vocab, ["a", -9]] }), "TOKENIZER_CORRUPT", /pieces 4 and 7/],
    ["no unknown piece", withModel({ unk_id: null }), "TOKENIZER_CORRUPT", /unk_id is null/],
    ["an unknown piece out of range", withModel({ unk_id: 70 }), "TOKENIZER_CORRUPT", /unk_id is 70/],
    [
      "byte fallback without bytes",
      withModel({ byte_fallback: true }),
      "TOKENIZER_CORRUPT",
      /<0x00> is missing/,
    ],
    [
      "an added token that is another piece",
      withModel({}, { added_tokens: [{ id: 4, content: "x" }] }),
      "TOKENIZER_CORRUPT",
      /id 4/,
    ],
    [
      "an added token past the end",
      withModel({}, { added_tokens: [{ id: 40, content: "x" }] }),
      "TOKENIZER_CORRUPT",
      /only 7/,
    ],
    [
      "an added token without id",
      withModel({}, { added_tokens: [{ content: "x" }] }),
      "TOKENIZER_CORRUPT",
      /added_tokens\[0\]/,
    ],
    [
      "a normaliser that it does not know",
      withModel({}, { normalizer: { type: "Lowercase" } }),
      "TOKENIZER_UNSUPPORTED",
      /Lowercase/,
    ],
    [
      "a pre-tokeniser that it does not know",
      withModel({}, { pre_tokenizer: { type: "Whitespace" } }),
      "TOKENIZER_UNSUPPORTED",
      /Whitespace/,
    ],
    [
      "a Metaspace that splits",
      withModel({}, { pre_tokenizer: { type: "Metaspace", split: true } }),
      "TOKENIZER_UNSUPPORTED",
      /splits/,
    ],
  ])("refuses %s", async (_name, value, code, message) => {
    const error = await errorOf(() => read(value));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("some/tokenizer.json");
  });
});

import { describe, expect, it } from "vitest";
import { streamed, trainedTokenizer, trainedVariants } from "./models.js";

// The expected values were written by sentencepiece itself: every normaliser setting, replacement rules, with
// and without byte fallback.
describe.each(trainedVariants())("like sentencepiece: $name", (variant) => {
  const tokenizer = trainedTokenizer(variant);

  it("has its vocabulary", () => {
    expect(tokenizer.vocabSize).toBe(variant.size);
    for (let id = 0; id < variant.size; id++) expect(tokenizer.idOf(tokenizer.pieceOf(id))).toBe(id);
  });

  it("encodes texts to the same ids", () => {
    for (const { text, ids } of variant.texts) {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
    }
  });

  it("decodes ids to the same text, whole and streamed", () => {
    for (const { ids, decoded } of [...variant.texts, ...variant.sequences]) {
      expect({ ids, decoded: tokenizer.decode(ids) }).toEqual({ ids, decoded });
      expect({ ids, streamed: streamed(tokenizer, ids) }).toEqual({ ids, streamed: decoded });
    }
  });
});

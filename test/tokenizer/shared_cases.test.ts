import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readHuggingFaceJson } from "../../src/tokenizer/hugging_face_json.js";
import { loadTokenizer } from "../../src/tokenizer/load.js";
import { Tokenizer } from "../../src/tokenizer/tokenizer.js";
import { sharedOrSkip } from "../support/shared.js";
import { streamed } from "./models.js";

interface Cases {
  meta: { vocab_size: number; endoftext_id: number };
  cases: {
    name: string;
    text: string;
    expected: { ids: number[]; ids_with_bos: number[]; decoded: string };
    hf518_from_model: { ids: number[]; decoded: string };
    hf518_equals_sp_without_dummy_prefix: boolean;
  }[];
  decode_cases: { name: string; ids: number[]; expected: string }[];
}

sharedOrSkip("reference/tokenizer", "reference cases of the tokenizer", (directory) => {
  const read = (): Cases => JSON.parse(readFileSync(join(directory, "cases.json"), "utf8"));

  it("encodes and decodes all cases of tokenizer.model", async () => {
    const { cases, decode_cases, meta } = read();
    const tokenizer = await loadTokenizer(directory);
    expect(tokenizer.vocabSize).toBe(meta.vocab_size);
    expect(tokenizer.bosId).toBe(meta.endoftext_id);
    expect(tokenizer.endOfTextId).toBe(meta.endoftext_id);
    expect(tokenizer.addBos).toBe(true);
    expect(cases).toHaveLength(68);
    for (const { name, text, expected } of cases) {
      const ids = tokenizer.encode(text);
      expect({ name, ids }).toEqual({ name, ids: expected.ids });
      expect({ name, ids: tokenizer.encode(text, { bos: true }) }).toEqual({
        name,
        ids: expected.ids_with_bos,
      });
      expect({ name, decoded: tokenizer.decode(ids) }).toEqual({ name, decoded: expected.decoded });
      expect({ name, decoded: streamed(tokenizer, ids) }).toEqual({ name, decoded: expected.decoded });
    }
    expect(decode_cases).toHaveLength(22);
    for (const { name, ids, expected } of decode_cases) {
      expect({ name, decoded: tokenizer.decode(ids) }).toEqual({ name, decoded: expected });
      expect({ name, decoded: streamed(tokenizer, ids) }).toEqual({ name, decoded: expected });
    }
  });

  it("gives the same with tokenizer.json alone, but for a control symbol that the file does not call one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tokenizer-test-"));
    try {
      for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
        copyFileSync(join(directory, name), join(folder, name));
      }
      const tokenizer = await loadTokenizer(folder);
      const { cases, decode_cases } = read();
      for (const { name, text, expected } of cases) {
        if (name === "special-ctrl") continue;
        expect({ name, ids: tokenizer.encode(text) }).toEqual({ name, ids: expected.ids });
        expect({ name, decoded: tokenizer.decode(expected.ids) }).toEqual({
          name,
          decoded: expected.decoded,
        });
      }
      for (const { name, ids, expected } of decode_cases) {
        if (name === "ctrl-inside") continue;
        expect({ name, decoded: tokenizer.decode(ids) }).toEqual({ name, decoded: expected });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("does without the dummy prefix what a tokenizer.json without Prepend asks for", () => {
    const path = join(directory, "hf518-from-model", "tokenizer.json");
    const tokenizer = new Tokenizer(readHuggingFaceJson(readFileSync(path, "utf8"), path));
    const cases = read().cases.filter((one) => one.hf518_equals_sp_without_dummy_prefix);
    expect(cases.length).toBeGreaterThan(50);
    for (const { name, text, hf518_from_model: expected } of cases) {
      expect({ name, ids: tokenizer.encode(text) }).toEqual({ name, ids: expected.ids });
      expect({ name, decoded: tokenizer.decode(expected.ids) }).toEqual({ name, decoded: expected.decoded });
    }
  });
});

sharedOrSkip("reference/tiny-megatron-release", "tokenizer of Adept's release layout", (directory) => {
  it("reads adept_vocab.model", async () => {
    const tokenizer = await loadTokenizer(directory);
    expect(tokenizer.vocabSize).toBe(1000);
    expect(tokenizer.endOfTextId).toBe(13);
    expect(tokenizer.bosId).toBe(13);
    expect(tokenizer.decode(tokenizer.encode("human: Hello\n\nadept:"))).toBe("human: Hello\n\nadept:");
  });
});

sharedOrSkip("reference/head64", "tokenizer of the end-to-end fixture", (directory) => {
  it("reads tokenizer.model beside the model", async () => {
    const tokenizer = await loadTokenizer(directory);
    expect(tokenizer.vocabSize).toBe(1000);
    expect(tokenizer.addBos).toBe(true);
  });
});

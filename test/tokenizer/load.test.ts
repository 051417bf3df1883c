import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadTokenizer } from "../../src/tokenizer/index.js";
import { errorOf, tinySettings, withDirectory, writeModel } from "./models.js";

const model = writeModel(tinySettings);
const other = writeModel({
  pieces: [
    ["<unk>", 0, 2],
    ["other", -1],
  ],
});
const json = JSON.stringify({
  model: {
    type: "Unigram",
    unk_id: 0,
    vocab: [
      ["<unk>", 0],
      ["a", -1],
      ["json", -2],
    ],
  },
});

describe("loadTokenizer", () => {
  it("prefers tokenizer.model, then adept_vocab.model, then tokenizer.json", async () => {
    const files = { "tokenizer.model": model, "adept_vocab.model": other, "tokenizer.json": json };
    const sizes: number[] = [];
    for (const names of [Object.keys(files), ["adept_vocab.model", "tokenizer.json"], ["tokenizer.json"]]) {
      const present = Object.fromEntries(Object.entries(files).filter(([name]) => names.includes(name)));
      sizes.push(
        await withDirectory(present, async (directory) => (await loadTokenizer(directory)).vocabSize),
      );
    }
    expect(sizes).toEqual([tinySettings.pieces.length, 2, 3]);
  });

  it("does not pass over a damaged file to the next one", async () => {
    const files = { "tokenizer.model": model.subarray(0, 100), "tokenizer.json": json };
    await withDirectory(files, async (directory) => {
      const error = await errorOf(() => loadTokenizer(directory));
      expect(error.code).toBe("TOKENIZER_CORRUPT");
      expect(error.message).toContain(join(directory, "tokenizer.model"));
    });
  });

  it("names the files that it looked for when there is none", async () => {
    await withDirectory({ "config.json": "{}" }, async (directory) => {
      for (const path of [directory, join(directory, "nowhere"), join(directory, "config.json")]) {
        const error = await errorOf(() => loadTokenizer(path));
        expect(error.code).toBe("TOKENIZER_NOT_FOUND");
        expect(error.message).toContain(path);
        expect(error.message).toContain("tokenizer.model, adept_vocab.model, tokenizer.json");
      }
    });
  });

  it("says which file it could not read", async () => {
    await withDirectory({}, async (directory) => {
      mkdirSync(join(directory, "tokenizer.model"));
      const error = await errorOf(() => loadTokenizer(directory));
      expect(error.code).toBe("TOKENIZER_UNREADABLE");
      expect(error.message).toContain("tokenizer.model");
    });
  });

  it("takes the start piece and whether to add it from the configuration", async () => {
    const cases: [Record<string, string>, { bosId: number; addBos: boolean }][] = [
      [{}, { bosId: 3, addBos: true }],
      [{ "tokenizer_config.json": '{"add_bos_token": false}' }, { bosId: 3, addBos: false }],
      [
        { "tokenizer_config.json": '{"bos_token": "<s>", "add_bos_token": true}' },
        { bosId: 1, addBos: true },
      ],
      [{ "tokenizer_config.json": '{"bos_token": null}' }, { bosId: 3, addBos: true }],
      [{ "special_tokens_map.json": '{"bos_token": {"content": "<s>"}}' }, { bosId: 1, addBos: true }],
      [
        {
          "tokenizer_config.json": '{"bos_token": {"content": "</s>"}}',
          "special_tokens_map.json": '{"bos_token": "<s>"}',
        },
        { bosId: 2, addBos: true },
      ],
    ];
    for (const [files, expected] of cases) {
      await withDirectory({ "tokenizer.model": model, ...files }, async (directory) => {
        const tokenizer = await loadTokenizer(directory);
        expect({ bosId: tokenizer.bosId, addBos: tokenizer.addBos }).toEqual(expected);
        expect(tokenizer.endOfTextId).toBe(3);
      });
    }
  });

  it.each([
    ["not JSON", "{", /not JSON/],
    ["not an object", "[]", /expected a JSON object/],
    ["a start piece of another kind", '{"bos_token": 5}', /bos_token is 5/],
    ["a start piece that does not exist", '{"bos_token": "<start>"}', /"<start>"/],
    ["add_bos_token of another kind", '{"add_bos_token": "yes"}', /add_bos_token is "yes"/],
  ])("refuses a configuration with %s", async (_name, config, message) => {
    await withDirectory({ "tokenizer.model": model, "tokenizer_config.json": config }, async (directory) => {
      const error = await errorOf(() => loadTokenizer(directory));
      expect(error.code).toBe("TOKENIZER_CONFIG");
      expect(error.message).toMatch(message);
    });
  });
});

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  openCheckpoint,
  readTensor,
  type TensorToWrite,
  writeSafetensors,
} from "../../src/checkpoint/index.js";
import { convertCheckpoint } from "../../src/convert.js";
import { loadModel } from "../../src/load_model.js";
import { expectedTensors, parseConfig } from "../../src/model/config.js";
import { PieceType } from "../../src/tokenizer/specification.js";
import { errorOf, temporaryDirectories } from "../checkpoint/support.js";
import { RandomValues } from "../support/random_values.js";
import { tinyConfig } from "../support/tiny_checkpoint.js";
import { bytePieces, headPieces, type Piece, writeModel } from "../tokenizer/models.js";

const directory = temporaryDirectories();

const FIRST = 3;
const END = 2100; // past a whole block of tiles
const pieces: Piece[] = [
  ...headPieces,
  ...Array.from(
    { length: END - FIRST },
    (_, i): Piece => [`|U${i}|`, 0, i % 2 ? PieceType.unused : PieceType.control],
  ),
  ["|ENDOFTEXT|", 0, PieceType.control],
  ...bytePieces,
  ["▁", -2],
  ...["▁the", "▁a", "ing", "▁human", "er"].map((word): Piece => [word, -3]),
];
const config = { ...tinyConfig, vocab_size: pieces.length, hidden_size: 64, intermediate_size: 96 };

/** A model whose rows FIRST to END lie around one row, at most `noise` from it. */
async function model(noise = 0, changes: Record<string, unknown> = {}): Promise<string> {
  const folder = directory();
  const random = new RandomValues(11);
  const json = { ...config, ...changes };
  const tensors = [...expectedTensors(parseConfig(json))].map(([name, shape]): TensorToWrite => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = random.normal(count, 0.35, /layernorm\.weight$/.test(name) ? 1 : 0);
    if (/embed_tokens|lm_head/.test(name)) {
      const row = values.slice(FIRST * 64, (FIRST + 1) * 64);
      for (let id = FIRST; id < END; id++) values.set(row, id * 64);
      for (let i = (END - 1) * 64; i < END * 64; i++) values[i] += noise;
    }
    return { name, dtype: "float32", shape, data: new Uint8Array(values.buffer) };
  });
  writeFileSync(join(folder, "config.json"), JSON.stringify(json));
  writeFileSync(join(folder, "tokenizer.model"), writeModel({ pieces, byteFallback: true }));
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
  return folder;
}

const range = [FIRST, END] as const;
const ids = [END, 2200, 2361, 1, END + 260];

describe("convertCheckpoint with dropUnusedRows", () => {
  it.each(["float32", "bfloat16", "int8", "int4"] as const)(
    "%s: every stored id has its logits to the last bit, every dropped one minus infinity",
    async (to) => {
      for (const changes of to === "int4" ? [{}, { tie_word_embeddings: true }] : [{}]) {
        const source = await model(0.001, changes);
        const [whole, less] = [join(directory(), "whole"), join(directory(), "less")];
        await convertCheckpoint(source, whole, { to });
        const notes: string[] = [];
        await convertCheckpoint(source, less, {
          to,
          dropUnusedRows: range,
          onNote: (text) => notes.push(text),
        });
        const { tensors } = await openCheckpoint(less);
        expect(tensors.get("model.embed_tokens.weight")!.shape).toEqual([pieces.length - (END - FIRST), 64]);
        const [before, after] = [await loadModel(whole), await loadModel(less)];
        const [wanted, found] = [await before.logits(ids), await after.logits(ids)];
        expect(found.shape).toEqual([ids.length, pieces.length]);
        expect(found.data).toEqual(
          wanted.data.map((value, i) => {
            const id = i % pieces.length;
            return id >= FIRST && id < END ? Number.NEGATIVE_INFINITY : value;
          }),
        );
        const [x, y] = [
          await before.runWithCache(ids, { names: ["embed.out"] }),
          await after.runWithCache(ids, { names: ["embed.out"] }),
        ];
        expect(y.cache.get("embed.out")).toEqual(x.cache.get("embed.out"));
        expect(notes[0]).toContain("ids 3 to 2099: none is made of text");
        expect(notes[1]).toMatch(/embed_tokens.*at most .*\(row 2099\).* %, and 5 % counts as constant/);
        const text = await after.generate("the human", { maxNewTokens: 20, temperature: 1, seed: 3 }).done;
        expect(text.ids.every((id) => id < FIRST || id >= END)).toBe(true);
      }
    },
  );

  it("loads in every type, and converts again", async () => {
    const less = join(directory(), "less");
    await convertCheckpoint(await model(), less, { to: "bfloat16", dropUnusedRows: range });
    const again = join(directory(), "again");
    await convertCheckpoint(less, again, { to: "int8" });
    const json = JSON.parse(readFileSync(join(again, "config.json"), "utf8"));
    expect([json.dropped_token_ids, json.vocab_size]).toEqual([[FIRST, END], pieces.length]);
    const loaded = await (await loadModel(less, { dtype: "int8" })).logits(ids);
    expect((await (await loadModel(again)).logits(ids)).data).toEqual(loaded.data);
    expect(loaded.data[5]).toBe(Number.NEGATIVE_INFINITY);
    const twice = convertCheckpoint(less, join(directory(), "x"), { to: "int8", dropUnusedRows: range });
    expect((await errorOf(twice)).code).toBe("OPTION_INVALID");
  });

  it("stores all other rows as they were", async () => {
    const source = await model();
    const less = join(directory(), "less");
    await convertCheckpoint(source, less, { to: "float32", dropUnusedRows: range });
    const rows = async (path: string) => {
      const { tensors } = await openCheckpoint(path);
      return Buffer.from(await readTensor(tensors.get("lm_head.weight")!));
    };
    const all = await rows(source);
    const kept = Buffer.concat([all.subarray(0, FIRST * 256), all.subarray(END * 256)]);
    expect((await rows(less)).equals(kept)).toBe(true);
  });

  it("keeps rows that differ, that text makes, or that end texts, and says what it found", async () => {
    const convert = async (source: string, dropUnusedRows: readonly [number, number] | boolean) => {
      const error = await errorOf(
        convertCheckpoint(source, join(directory(), "new"), { to: "int8", dropUnusedRows }),
      );
      return `${error.code}: ${error.message}`;
    };
    expect(await convert(await model(0.2), range)).toMatch(
      /ROWS_IN_USE: model\.embed.*at most 2\.00e-1.*\(row 2099\)/,
    );
    expect(await convert(await model(Number.NaN), range)).toMatch(/ROWS_IN_USE: .*NaN/);
    const source = await model();
    expect(await convert(source, [FIRST, END + 5])).toMatch(/ROWS_IN_USE: .*id 2100, "\|ENDOFTEXT\|"/);
    expect(await convert(source, [END + 1, END + 5])).toMatch(/ROWS_IN_USE: .*id 2101, "<0x00>"/);
    for (const wrong of [[0, 5], [5, 5], [9, 3], [3, pieces.length], [2.5, 9], true] as const) {
      expect(await convert(source, wrong as never)).toMatch(/^OPTION_INVALID/);
    }
    expect(await convert(source, "yes" as never)).toMatch(/^OPTION_INVALID/);
    // As the command line's help names them: the last one included.
    expect(await convert(source, [3, 70_003])).toMatch(/got ids 3 to 70002$/);
    rmSync(join(source, "tokenizer.model"));
    expect(await convert(source, range)).toMatch(/ROWS_IN_USE: .*no tokenizer/);
  });
});

describe("dropped_token_ids of config.json", () => {
  it.each<[unknown]>([["x"], [[1]], [[0, 5]], [[5, 5]], [[3, 300]], [[1.5, 4]], [{}]])(
    "refuses %j",
    (value) => {
      expect(() => parseConfig({ vocab_size: 300, dropped_token_ids: value })).toThrow(/dropped_token_ids/);
    },
  );
});

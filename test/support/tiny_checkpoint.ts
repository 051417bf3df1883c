import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import { expectedTensors, parseConfig } from "../../src/model/config.js";
import { bytePieces, headPieces, type Piece, writeModel } from "../tokenizer/models.js";
import { RandomValues } from "./random_values.js";

/** Letters, a few words and all bytes, so that random ids make text of every kind, broken characters included. */
const pieces: Piece[] = [
  ...headPieces,
  ...bytePieces,
  ["▁", -2],
  ..."abcdefghijklmnopqrstuvwxyz.,:!?".split("").map((letter): Piece => [letter, -4]),
  ...["▁the", "▁a", "ing", "▁human", "▁adept", "er", "日", "本", "🍣", "\n"].map((word): Piece => [word, -3]),
];

export const tinyConfig = {
  model_type: "persimmon",
  vocab_size: pieces.length,
  hidden_size: 32,
  num_attention_heads: 2,
  intermediate_size: 64,
  num_hidden_layers: 2,
  max_position_embeddings: 512,
  bos_token_id: 1,
  eos_token_id: 2,
  rope_theta: 25000,
  torch_dtype: "float32",
};

/** A folder that is removed after the tests of the file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "persimmon-library-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * Writes a random model with a tokenizer into a temporary folder, removed after the tests of the file.
 * @param changes keys of config.json that differ from `tinyConfig`
 */
export async function tinyCheckpoint(changes: Record<string, unknown> = {}, seed = 7): Promise<string> {
  const directory = temporaryDirectory();
  const json = { ...tinyConfig, ...changes };
  const random = new RandomValues(seed);
  const tensors = [...expectedTensors(parseConfig(json))].map(([name, shape]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const isNorm = /layernorm\.weight$/.test(name);
    // With this spread and seed greedy text is no loop: 14 different ids in its first 20.
    const values = random.normal(count, name.startsWith("lm_head") ? 0.4 : 0.35, isNorm ? 1 : 0);
    return { name, dtype: "float32" as const, shape, data: new Uint8Array(values.buffer) };
  });
  writeFileSync(join(directory, "config.json"), JSON.stringify(json));
  writeFileSync(join(directory, "tokenizer.model"), writeModel({ pieces, byteFallback: true }));
  await writeSafetensors(join(directory, "model.safetensors"), tensors, { format: "pt" });
  return directory;
}

import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { type TensorToWrite, writeSafetensors } from "../../src/checkpoint/index.js";
import { PersimmonError } from "../../src/errors.js";
import { expectedTensors, parseConfig } from "../../src/model/config.js";

/** A function that makes a fresh directory, all of which are removed after the file's tests. */
export function temporaryDirectories(): () => string {
  const made: string[] = [];
  afterAll(() => {
    for (const directory of made) rmSync(directory, { recursive: true, force: true });
  });
  return () => {
    made.push(mkdtempSync(join(tmpdir(), "persimmon-checkpoint-")));
    return made.at(-1)!;
  };
}

/** The coded error that a promise ends with; anything else fails the test. */
export async function errorOf(promise: Promise<unknown>): Promise<PersimmonError> {
  const outcome = await promise.then(
    () => "no error",
    (error: unknown) => error,
  );
  if (outcome instanceof PersimmonError) return outcome;
  throw new Error(`expected a PersimmonError, got ${outcome}`, { cause: outcome });
}

export const smallConfig = {
  model_type: "persimmon",
  vocab_size: 10,
  hidden_size: 8,
  num_attention_heads: 2,
  intermediate_size: 12,
  num_hidden_layers: 1,
  torch_dtype: "float32",
  bos_token_id: 3,
  eos_token_id: 4,
};

/** Every tensor of a config, each filled with its own numbers. */
export function smallTensors(json: Record<string, unknown> = smallConfig): TensorToWrite[] {
  return [...expectedTensors(parseConfig(json))].map(([name, shape], index) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length }, (_, at) => index + at / 64);
    return { name, dtype: "float32", shape, data: new Uint8Array(values.buffer) };
  });
}

/** Writes config.json and model.safetensors of a small random model. */
export async function writeModel(
  directory: string,
  json: Record<string, unknown> = smallConfig,
  tensors: TensorToWrite[] = smallTensors(json),
): Promise<string> {
  await writeFile(join(directory, "config.json"), JSON.stringify(json));
  await writeSafetensors(join(directory, "model.safetensors"), tensors, { format: "pt" });
  return directory;
}

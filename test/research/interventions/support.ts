/** What the tests of edits, hooks, watches and swaps share. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect } from "vitest";
import type { GenerateOptions } from "../../../src/generation/options.js";
import type { Token } from "../../../src/generation/token_stream.js";
import type { LanguageModel } from "../../../src/language_model.js";
import { loadModel } from "../../../src/load_model.js";
import { testDevice } from "../../support/device.js";
import { expectNear } from "../../support/fixtures.js";
import { isGpuReal } from "../../support/other_addon.js";
import { repositoryRoot, sharedOrSkip } from "../../support/shared.js";
import { tinyCheckpoint } from "../../support/tiny_checkpoint.js";
import { expectSameBits } from "../../tensor/ops/on_device.js";

/** A model to intervene in, and a prompt of its own. */
export interface Subject {
  load(): Promise<LanguageModel>;
  prompt: readonly number[];
}

/**
 * Runs the tests of `body` on the bundled model, and on the reference model head64 where it is there; on an emulated GPU, which
 * takes a hundred times as long, on a random model that is small enough.
 */
export function onBothModels(title: string, body: (subject: Subject) => void): void {
  if (testDevice === "cuda" && !isGpuReal) {
    describe(`${title}: a small model on an emulated GPU`, () => {
      let directory: string;
      beforeAll(async () => {
        const sizes = { hidden_size: 64, num_attention_heads: 4, intermediate_size: 128 };
        directory = await tinyCheckpoint(sizes);
      });
      body({
        load: () => loadModel(directory, { device: testDevice }),
        prompt: [1, 270, 300, 5, 9, 11, 280, 33],
      });
    });
    return;
  }
  // An archive for a machine with a GPU is without it (scripts/check-cuda.mjs).
  const isThere = existsSync(join(repositoryRoot, "models", "demo"));
  if (!isThere) process.stderr.write(`SKIPPED: ${title}: the bundled model is not there\n`);
  describe.skipIf(!isThere)(`${title}: the bundled model`, () =>
    body({
      load: () => loadModel(undefined, { device: testDevice }),
      prompt: [4, 120, 300, 7, 51, 900, 33, 18],
    }),
  );
  sharedOrSkip("reference/head64", `${title}: head64`, (directory) =>
    body({
      load: () => loadModel(directory, { device: testDevice }),
      prompt: [13, 271, 338, 326, 308, 390, 287],
    }),
  );
}

/** What a generation made, to the bit. */
export interface Made {
  ids: number[];
  logprobs: number[];
}

/** A greedy generation of a fixed length. */
export async function generated(
  model: LanguageModel,
  prompt: readonly number[],
  tokens: number,
  options: Partial<GenerateOptions> = {},
): Promise<Made> {
  const made: Token[] = [];
  const stream = model.generate(prompt, {
    maxNewTokens: tokens,
    stopAtEos: false,
    logprobs: true,
    ...options,
  });
  for await (const token of stream) made.push(token);
  await stream.done;
  return { ids: made.map(({ id }) => id), logprobs: made.map(({ logprob }) => logprob as number) };
}

/** Equal ids, and log-probabilities that are equal to the last bit. */
export function expectSame(found: Made, wanted: Made): void {
  expect(found.ids).toEqual(wanted.ids);
  for (const [index, value] of wanted.logprobs.entries()) {
    if (!Object.is(found.logprobs[index], value)) {
      expect.fail(`log-probability ${index}: ${found.logprobs[index]}, wanted the bits of ${value}`);
    }
  }
}

/**
 * As `expectSame` on a CPU. On a GPU equal ids, and log-probabilities near one another: a token and a prompt, and attention in one
 * kernel and step by step, add up in orders of their own there.
 */
export function expectAlike(found: Made, wanted: Made): void {
  if (testDevice === "cpu") expectSame(found, wanted);
  expect(found.ids).toEqual(wanted.ids);
  expectNear("log-probabilities", found.logprobs, wanted.logprobs, 1e-4);
}

/** The same for values. */
export function expectAlikeValues(found: Float32Array, wanted: Float32Array): void {
  if (testDevice === "cpu") expectSameBits(found, wanted);
  expectNear("values", found, wanted, 1e-4 * Math.max(1, ...wanted.map(Math.abs)));
}

/** Whether something changed at all: a test of a change that changes nothing proves nothing. */
export function differs(a: Made, b: Made): boolean {
  return a.logprobs.some((value, index) => !Object.is(value, b.logprobs[index]));
}

/** A row of numbers without a pattern, each below `size` in magnitude. */
export function direction(width: number, size = 1): Float32Array {
  return Float32Array.from({ length: width }, (_, i) => size * Math.sin(1 + 1.7 * i + 0.01 * i * i));
}

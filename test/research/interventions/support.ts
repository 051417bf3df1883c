/** What the tests of edits, hooks, watches and swaps share. */
import { describe, expect } from "vitest";
import type { GenerateOptions } from "../../../src/generation/options.js";
import type { Token } from "../../../src/generation/token_stream.js";
import type { LanguageModel } from "../../../src/language_model.js";
import { loadModel } from "../../../src/load_model.js";
import { sharedOrSkip } from "../../support/shared.js";

/** A model to intervene in, and a prompt of its own. */
export interface Subject {
  load(): Promise<LanguageModel>;
  prompt: readonly number[];
}

/** Runs the tests of `body` on the bundled model, and on the reference model head64 where it is there. */
export function onBothModels(title: string, body: (subject: Subject) => void): void {
  describe(`${title}: the bundled model`, () =>
    body({ load: () => loadModel(), prompt: [4, 120, 300, 7, 51, 900, 33, 18] }));
  sharedOrSkip("reference/head64", `${title}: head64`, (directory) =>
    body({ load: () => loadModel(directory), prompt: [13, 271, 338, 326, 308, 390, 287] }),
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

/** Whether something changed at all: a test of a change that changes nothing proves nothing. */
export function differs(a: Made, b: Made): boolean {
  return a.logprobs.some((value, index) => !Object.is(value, b.logprobs[index]));
}

/** A row of numbers without a pattern, each below `size` in magnitude. */
export function direction(width: number, size = 1): Float32Array {
  return Float32Array.from({ length: width }, (_, i) => size * Math.sin(1 + 1.7 * i + 0.01 * i * i));
}

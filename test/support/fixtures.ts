import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type ReferenceTensor, readReferenceTensors } from "./reference_tensors.js";

/** What reference.json of a fixture says, as far as the tests use it. */
export interface FixtureReference {
  prompt_ids: number[];
  activation_positions: number[];
  greedy_ids: number[];
  greedy_logprobs: number[];
  prompt_logprobs: number[];
}

/** A case from text to text of head64. */
export interface TextCase {
  label: string;
  text: string;
  ids: number[];
  greedy_ids: number[];
  generated_text: string;
}

export function readFixture(directory: string): {
  reference: FixtureReference;
  tensors: Map<string, ReferenceTensor>;
} {
  return {
    reference: JSON.parse(readFileSync(join(directory, "reference.json"), "utf8")),
    tensors: readReferenceTensors(join(directory, "reference.safetensors")),
  };
}

/** Fails unless all values are within `allowed`; returns the largest difference. */
export function expectNear(
  what: string,
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
  allowed: number,
): number {
  expect(found.length, what).toBe(wanted.length);
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    const difference = Math.abs(found[i] - wanted[i]);
    // A NaN is no number within any distance.
    if (!(difference <= allowed)) {
      expect.fail(`${what}: element ${i} is ${found[i]}, wanted ${wanted[i]} within ${allowed}`);
    }
    worst = Math.max(worst, difference);
  }
  return worst;
}

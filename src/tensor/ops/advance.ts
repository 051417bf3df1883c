import { native } from "../../native.js";
import type { Tensor } from "../tensor.js";
import { expectTensor } from "./check.js";

/** What a pass over one token a row works on, and leaves for the next one. */
export interface NextInputs {
  /** [rows] int32 */
  ids: Tensor;
  /** [rows] int32 */
  positions: Tensor;
  /** [rows, 4] int32, see `sampleSeeded`. */
  random: Tensor;
  /** [2, rows] int32: ids and, as bits of float32, log-probabilities. */
  results: Tensor;
}

/**
 * For the runtime, inside of plans: puts what was chosen into the inputs of the next pass and into `results`, moves the positions
 * on by one, and takes one number from each generator.
 * @param chosen [rows] int32
 * @param logprobs [rows]; without it those of `results` stay as they are
 */
export function advance(inputs: NextInputs, chosen: Tensor, logprobs?: Tensor): void {
  const { ids, positions, random, results } = inputs;
  expectTensor("advance", "chosen", chosen, [undefined], ["int32"]);
  const [rows] = chosen.shape;
  for (const [name, value] of Object.entries({ ids, positions })) {
    expectTensor("advance", name, value, [rows], ["int32"]);
  }
  expectTensor("advance", "random", random, [rows, 4], ["int32"]);
  expectTensor("advance", "results", results, [2, rows], ["int32"]);
  if (logprobs !== undefined) expectTensor("advance", "logprobs", logprobs, [rows]);
  native().advance(
    chosen.device.stream,
    ids.buffer,
    positions.buffer,
    random.buffer,
    results.buffer,
    chosen.buffer,
    logprobs?.buffer ?? null,
    rows,
  );
}

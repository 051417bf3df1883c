import { PersimmonError } from "../../errors.js";
import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectColumns, expectTensor } from "./check.js";

/** The index of the largest value of each row; of equal ones the first. x [rows, width] → [rows] int32. */
export function argmax(x: Tensor): Tensor {
  expectTensor("argmax", "x", x, [undefined, undefined]);
  const [rows, width] = x.shape;
  expectColumns("argmax", "x", width);
  const out = Tensor.empty(x.device, [rows], "int32");
  native().argmax(x.device.stream, out.buffer, x.buffer, rows, width);
  return out;
}

/** How the distribution of a draw is made of logits; see `sample`. */
export interface DrawOptions {
  /** Above 0. */
  temperature: number;
  /** 0 keeps all. */
  topK: number;
  /** 0 or 1 keeps all. */
  topP: number;
}

/**
 * Draws one id a row in the order of Adept's server: logits / temperature, then top-k (logits below the k-th go, ties
 * stay), then top-p (in descending order, up to and with the first whose cumulative probability exceeds p), softmax, one
 * draw.
 * @param logits [rows, vocabulary]
 * @param uniform one number in [0, 1) for each row
 * @returns [rows] int32
 */
export function sample(logits: Tensor, options: DrawOptions, uniform: Float64Array): Tensor {
  if (!(uniform instanceof Float64Array) || uniform.some((value) => !(value >= 0 && value < 1))) {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      "ops.sample: uniform must be a Float64Array of numbers from 0 to below 1",
    );
  }
  expectTensor("sample", "logits", logits, [uniform.length, undefined]);
  const { stream, out, rows, width, temperature, topK, topP } = drawing("sample", logits, options);
  native().sample(stream, out.buffer, logits.buffer, rows, width, temperature, topK, topP, uniform);
  return out;
}

/**
 * As `sample`, with numbers that are made on the device: each row has a generator (`SeededRandom.words`), and is drawn with the
 * number that this makes next. `advance` takes the numbers; until then they stay the same.
 * @param random [rows, 4] int32
 */
export function sampleSeeded(logits: Tensor, options: DrawOptions, random: Tensor): Tensor {
  expectTensor("sampleSeeded", "logits", logits, [undefined, undefined]);
  expectTensor("sampleSeeded", "random", random, [logits.shape[0], 4], ["int32"]);
  const { stream, out, rows, width, temperature, topK, topP } = drawing("sampleSeeded", logits, options);
  native().sampleSeeded(
    stream,
    out.buffer,
    logits.buffer,
    rows,
    width,
    temperature,
    topK,
    topP,
    random.buffer,
  );
  return out;
}

/** What every draw has in common, checked. */
function drawing(op: string, logits: Tensor, { temperature, topK, topP }: DrawOptions) {
  const [rows, width] = logits.shape;
  expectColumns(op, "logits", width);
  expectSampling(op, "temperature", temperature, temperature > 0 && Number.isFinite(temperature), "above 0");
  const isCount = Number.isInteger(topK) && topK >= 0 && topK < 2 ** 31;
  expectSampling(op, "topK", topK, isCount, "a whole number from 0");
  expectSampling(op, "topP", topP, topP >= 0 && topP <= 1, "from 0 to 1");
  const out = Tensor.empty(logits.device, [rows], "int32");
  return { stream: logits.device.stream, out, rows, width, temperature, topK, topP };
}

function expectSampling(op: string, option: string, value: unknown, valid: boolean, expected: string): void {
  if (valid) return;
  throw new PersimmonError(
    "SAMPLING_INVALID",
    `ops.${op}: ${option} must be ${expected}, got ${String(value)}`,
  );
}

/** The log-probability of ids[r] under the softmax of row r. logits [rows, vocabulary], ids [rows] int32 → [rows]. */
export function gatherLogProbability(logits: Tensor, ids: Tensor): Tensor {
  expectTensor("gatherLogProbability", "logits", logits, [undefined, undefined]);
  const [rows, width] = logits.shape;
  expectColumns("gatherLogProbability", "logits", width);
  expectTensor("gatherLogProbability", "ids", ids, [rows], ["int32"]);
  const out = Tensor.empty(logits.device, [rows]);
  native().gatherLogProbability(logits.device.stream, out.buffer, logits.buffer, ids.buffer, rows, width);
  return out;
}

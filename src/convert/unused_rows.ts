import type { Checkpoint, CheckpointTensor } from "../checkpoint/index.js";
import { PersimmonError } from "../errors.js";
import type { Device } from "../tensor/device.js";
import type { Tokenizer } from "../tokenizer/index.js";
import type { IdRange } from "./outputs.js";
import { rowNumbers } from "./row_numbers.js";

/** The ids of Persimmon-8B that no text has, as those who took them out found (fine-tune-fuyu, surgery.py). */
export const PERSIMMON_UNUSED: IdRange = [3, 70_003];

/**
 * How far an unused row may lie from the first of them, as a share of what lies between used rows. Rows that were never trained
 * apart give the same logit for every text, up to this share of how logits differ at all.
 */
const LARGEST_SPREAD = 0.05;
const SAMPLED_USED_ROWS = 512;
const BLOCK_ELEMENTS = 2 ** 22;

/**
 * Whether rows of the embedding and the head can be left out without changing what the model says: the tokenizer never makes
 * their ids, and the rows are near-constant, which is measured on all of them.
 *
 * @param special ids with which texts begin and end
 * @returns what was found, a line each
 * @throws PersimmonError ROWS_IN_USE with the piece or the measured spread; OPTION_INVALID for a range that is none
 */
export async function checkUnusedRows(
  checkpoint: Checkpoint,
  tokenizer: Tokenizer | undefined,
  special: readonly number[],
  range: IdRange,
  device: Device,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const { config, tensors, directory } = checkpoint;
  const [first, end] = range;
  if (config.droppedTokenIds !== undefined) {
    throw new PersimmonError(
      "OPTION_INVALID",
      `${directory}: rows were dropped from it already: ${config.droppedTokenIds}.`,
    );
  }
  if (
    !(Number.isInteger(first) && Number.isInteger(end) && 0 < first && first < end && end < config.vocabSize)
  ) {
    const wanted = `two ids in order between 0 and the ${config.vocabSize} of the vocabulary`;
    throw new PersimmonError(
      "OPTION_INVALID",
      `unused rows must be ${wanted}, got ids ${first} to ${end - 1}`,
    );
  }
  const report = [checkPieces(tokenizer, special, range, directory)];
  for (const name of ["model.embed_tokens.weight", "lm_head.weight"]) {
    const tensor = tensors.get(name);
    if (tensor !== undefined) report.push(await checkSpread(tensor, range, device, signal));
  }
  return report;
}

function inUse(message: string): PersimmonError {
  return new PersimmonError("ROWS_IN_USE", `${message} The rows are kept: convert without dropping them.`);
}

function checkPieces(
  tokenizer: Tokenizer | undefined,
  special: readonly number[],
  [first, end]: IdRange,
  directory: string,
): string {
  if (tokenizer === undefined) {
    throw inUse(`${directory}: no tokenizer says which ids are unused.`);
  }
  for (let id = first; id < end; id++) {
    const piece = id < tokenizer.vocabSize ? JSON.stringify(tokenizer.pieceOf(id)) : "without a piece";
    if (special.includes(id)) throw inUse(`${directory}: texts begin or end with id ${id}, ${piece}.`);
    if (id < tokenizer.vocabSize && tokenizer.canProduce(id)) {
      throw inUse(`${directory}: the tokenizer makes id ${id}, ${piece}, of text.`);
    }
  }
  return `ids ${first} to ${end - 1}: none is made of text (unused and control pieces)`;
}

async function checkSpread(
  tensor: CheckpointTensor,
  [first, end]: IdRange,
  device: Device,
  signal: AbortSignal | undefined,
): Promise<string> {
  const [rows, columns] = tensor.shape;
  const reference = await rowNumbers(tensor, first, 1, device);
  const blockRows = Math.max(1, Math.floor(BLOCK_ELEMENTS / columns));
  let [largest, at] = [0, first];
  for (let start = first; start < end; start += blockRows) {
    signal?.throwIfAborted();
    const count = Math.min(blockRows, end - start);
    const numbers = await rowNumbers(tensor, start, count, device);
    for (let row = 0; row < count; row++) {
      const distance = rootMeanSquare(numbers.subarray(row * columns, (row + 1) * columns), reference);
      if (!(distance <= largest)) [largest, at] = [distance, start + row];
    }
  }
  const used = await spreadOfUsedRows(tensor, rows, end, device);
  const measured =
    `${tensor.name}: an unused row lies at most ${largest.toExponential(2)} from the first of them (row ${at}), ` +
    `half of the used ones more than ${used.toExponential(2)} from one another (root mean squares)`;
  if (largest <= LARGEST_SPREAD * used) {
    return `${measured}: ${((100 * largest) / used).toFixed(2)} %, and ${100 * LARGEST_SPREAD} % counts as constant`;
  }
  throw inUse(
    `${measured}; up to ${100 * LARGEST_SPREAD} % counts as constant, so that they may mean something.`,
  );
}

/** The median distance of used rows behind `end` from the one before them in the sample. */
async function spreadOfUsedRows(
  tensor: CheckpointTensor,
  rows: number,
  end: number,
  device: Device,
): Promise<number> {
  const step = Math.max(1, Math.floor((rows - end) / SAMPLED_USED_ROWS));
  const distances: number[] = [];
  let before: Float32Array | undefined;
  for (let row = end; row < rows; row += step) {
    const numbers = await rowNumbers(tensor, row, 1, device);
    if (before !== undefined) distances.push(rootMeanSquare(numbers, before));
    before = numbers;
  }
  return distances.sort((a, b) => a - b)[distances.length >> 1] ?? 0;
}

function rootMeanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum / a.length);
}

import { checkOptionNames, PersimmonError } from "../errors.js";
import type { LanguageModel } from "../language_model.js";
import type { Embedding } from "../nn/embedding.js";
import type { Module } from "../nn/module.js";
import { optionChecks } from "../option_checks.js";
import { BandwidthProbe } from "../tensor/bandwidth_probe.js";
import { mlpSparsity } from "./mlp_sparsity.js";
import { ModelSpeed, type Spread } from "./model_speed_result.js";
import { PredictedMlp } from "./predicted_mlp.js";

export interface ModelSpeedOptions {
  /** Tokens of the prompt; 16. */
  prompt?: number;
  /** Tokens generated in each round; 64. */
  generate?: number;
  /** Rounds, each with its own prefill and its own bandwidth probes; 3. */
  rounds?: number;
}

/** Tokens between two probes: long enough to be a measurement, short enough to see one state of the machine. */
const stretch = 8;

/**
 * Decode and prefill speed, interleaved with probes of the read bandwidth: on shared machines it changes from second to
 * second, and only what was measured side by side can be compared.
 * @throws PersimmonError OPTION_INVALID unless all are whole numbers from 1; OPTION_UNKNOWN; CONTEXT_FULL; MODEL_BUSY while
 *   the model is served; INTERRUPTED while it waits for its turn
 */
export async function modelSpeed(model: LanguageModel, options: ModelSpeedOptions = {}): Promise<ModelSpeed> {
  const { prompt = 16, generate = 64, rounds = 3 } = options;
  checkOptionNames("modelSpeed", options, [
    "prompt",
    "generate",
    "rounds",
  ] satisfies (keyof ModelSpeedOptions)[]);
  for (const [name, value] of Object.entries({ prompt, generate, rounds })) {
    optionChecks((message) => new PersimmonError("OPTION_INVALID", message)).whole(name, value, 1);
  }
  const probe = new BandwidthProbe(model.device);
  try {
    // What others compute meanwhile would be measured, too.
    return await model.runtime.alone(() => measured(model, { prompt, generate, rounds }, probe));
  } finally {
    probe.release();
  }
}

async function measured(
  model: LanguageModel,
  { prompt, generate, rounds }: Required<ModelSpeedOptions>,
  probe: BandwidthProbe,
): Promise<ModelSpeed> {
  const decode: number[] = [];
  const prefill: number[] = [];
  const bandwidth: number[] = [];
  const probes: number[] = [];
  const zeros = await mlpSparsity(model, promptIds(model, prompt, 0), { progress: false });
  // One token more than counted, so that the first touch of all weights is not part of a measurement.
  await model.generate(promptIds(model, prompt, 0), { maxNewTokens: 2, stopAtEos: false }).done;
  let leftOut = 0;
  for (let round = 0; round < rounds; round++) {
    const ids = promptIds(model, prompt, round + 1);
    const started = performance.now();
    const kv = await model.prefill(ids);
    prefill.push(ids.length / ((performance.now() - started) / 1000));
    try {
      let next = ids[0];
      const counted = await model.device.weightTraffic();
      let before = await probe.measure();
      for (let made = 0; made < generate; made += stretch) {
        const count = Math.min(stretch, generate - made);
        const from = performance.now();
        const { ids: generated } = await model.generate([next], { kv, maxNewTokens: count, stopAtEos: false })
          .done;
        const rate = count / ((performance.now() - from) / 1000);
        next = generated[generated.length - 1];
        const after = await probe.measure();
        decode.push(rate);
        bandwidth.push(after);
        probes.push((before + after) / 2);
        before = after;
      }
      leftOut += (await model.device.weightTraffic()).skipped - counted.skipped;
    } finally {
      kv.release();
    }
  }
  const leftOutPerToken = leftOut / (rounds * generate);
  const bytesPerToken = bytesRead(model, prompt + generate / 2, leftOutPerToken);
  return new ModelSpeed({
    model: model.source,
    dtype: model.dtype,
    threads: model.device.threads,
    instructionSet: model.device.instructionSet,
    ...(model.device.gpu !== undefined && { gpu: model.device.gpu.name }),
    matmulPrecision: model.device.matmulPrecision,
    prompt,
    generate,
    rounds,
    decodeTokensPerSecond: spread(decode),
    prefillTokensPerSecond: spread(prefill),
    zeros: zeros.meanZeroFraction,
    bytesPerToken,
    leftOutPerToken,
    decodeGBPerSecond: spread(decode.map((rate) => (rate * bytesPerToken) / 1e9)),
    readBandwidthGBPerSecond: spread(bandwidth),
    shareOfBandwidth: spread(decode.map((rate, at) => (rate * bytesPerToken) / 1e9 / probes[at])),
  });
}

/**
 * Bytes that a token reads: the weights but for the embedding, of which one row is read, what predicts zeros, and the keys
 * and values of all positions so far.
 * @param leftOut bytes of weights that zeros left out, as `device.weightTraffic()` counts them
 */
export function bytesRead(model: LanguageModel, positions: number, leftOut = 0): number {
  const { vocabSize, tieWordEmbeddings } = model.config;
  const { weight: table } = model.embedTokens as Embedding;
  const embedding = tieWordEmbeddings ? 0 : table.byteLength;
  let copies = 0;
  for (const { mlp } of model.layers) {
    if ((mlp as Module) instanceof PredictedMlp) copies += (mlp as unknown as PredictedMlp).copy.byteLength;
  }
  const keysAndValues = positions * model.kv.bytesPerToken;
  return model.weightBytes - embedding + table.byteLength / vocabSize + copies + keysAndValues - leftOut;
}

/** Varied ids that any vocabulary has. */
export function promptIds(model: LanguageModel, count: number, round: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 7919 + round * 104729 + 17) % model.config.vocabSize);
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

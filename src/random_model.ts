import { isQuantizable } from "./checkpoint/index.js";
import { type DeviceChoice, gpuFor } from "./device_choice.js";
import { checkOptionNames, PersimmonError, valueText } from "./errors.js";
import { kvContexts, LanguageModel } from "./language_model.js";
import { checkedBoolean, checkedDType, checkedKvDType } from "./load_model.js";
import { type PersimmonConfig, parseConfig } from "./model/config.js";
import { type NativeBuffer, native, nativeDType } from "./native.js";
import { optionChecks } from "./option_checks.js";
import { buildModules } from "./runtime/build_modules.js";
import type { KvDType } from "./runtime/kv_cache.js";
import { ordered, type WeightDType } from "./runtime/load_weights.js";
import { gpuMemory, machineMemory } from "./runtime/machine_memory.js";
import { expectMemory, planMemory } from "./runtime/memory_check.js";
import { Device, type MatmulPrecision } from "./tensor/device.js";
import { bytesPerElement, isScaled } from "./tensor/dtype.js";
import { elementCount } from "./tensor/element_count.js";
import { Tensor } from "./tensor/tensor.js";

/** The sizes of a model to be made; what is missing is that of Persimmon-8B. */
export interface RandomShape {
  hidden?: number;
  layers?: number;
  heads?: number;
  ffn?: number;
  vocab?: number;
}

export interface RandomModelOptions {
  /** As in `loadModel`; "auto". */
  device?: DeviceChoice;
  dtype?: WeightDType;
  threads?: number;
  /** As in `loadModel`; "highest". */
  matmulPrecision?: MatmulPrecision;
  /** 16,384 */
  maxLength?: number;
  /** Room for keys and values, in texts of `maxLength` tokens, which forks and batches share; 4. */
  kvContexts?: number;
  /** As in `loadModel`; "float32". */
  kvDtype?: KvDType;
  /** Share of the squared ReLUs that is zero, above 0 and below 1; 0.5. The biases in front of them are shifted for it. */
  zeros?: number;
  /** As in `loadModel`; true. */
  skipZeros?: boolean;
  /** As in `loadModel`; true. */
  memoryCheck?: boolean;
  /** Makes the weights repeatable; 1. */
  seed?: number;
}

const sizeNames = ["hidden", "layers", "heads", "ffn", "vocab"] satisfies (keyof RandomShape)[];
const optionNames = [
  "device",
  "dtype",
  "threads",
  "matmulPrecision",
  "maxLength",
  "kvContexts",
  "kvDtype",
  "zeros",
  "skipZeros",
  "memoryCheck",
  "seed",
] satisfies (keyof RandomModelOptions)[];

/**
 * A model of any shape with random weights: what full-size speed is measured on where the real weights are not at hand.
 * Norm weights are 1, biases near 0, matrices scaled so that activations keep their size. Without `zeros` about half of the
 * squared ReLUs are zero, fewer than in a trained model.
 * @throws PersimmonError OPTION_INVALID, OPTION_UNKNOWN; OUT_OF_MEMORY before anything is allocated, when it would not fit, with what would
 */
export function randomModel(shape: RandomShape, options: RandomModelOptions = {}): LanguageModel {
  checkOptionNames("the shape of randomModel", shape, sizeNames);
  checkOptionNames("randomModel", options, optionNames);
  const dtype = checkedDType(options.dtype ?? "bfloat16");
  if (dtype === "auto")
    throw new PersimmonError("DTYPE_UNSUPPORTED", "random weights have no type of their own");
  const config = parseConfig(
    {
      hidden_size: shape.hidden ?? 4096,
      num_hidden_layers: shape.layers ?? 36,
      num_attention_heads: shape.heads ?? 64,
      intermediate_size: shape.ffn ?? 16384,
      vocab_size: shape.vocab ?? 262144,
      max_position_embeddings: options.maxLength ?? 16384,
      rope_theta: 25000,
    },
    "the shape asked for",
  );
  const skipZeros = checkedBoolean("skipZeros", options.skipZeros);
  const kvDtype = checkedKvDType(options.kvDtype);
  const zeros = options.zeros ?? 0.5;
  if (!(zeros > 0 && zeros < 1)) {
    throw new PersimmonError("OPTION_INVALID", `zeros must lie between 0 and 1, got ${valueText(zeros)}`);
  }
  const contexts = options.kvContexts ?? kvContexts;
  optionChecks((message) => new PersimmonError("OPTION_INVALID", message)).whole("kvContexts", contexts, 1);
  const gpu = gpuFor(options.device, options.matmulPrecision);
  const device = gpu ?? Device.cpu(options.threads, options.matmulPrecision);
  const maxLength = config.maxPositionEmbeddings;
  const cublasLt = gpu?.gpu?.cublasLt !== undefined;
  const question = { dtype, kvDtype, maxLength, inPlace: () => 0, contexts, cublasLt };
  const plan = planMemory(
    config,
    { ...question, lengthAsked: options.maxLength !== undefined },
    gpu === undefined ? machineMemory() : gpuMemory([gpu]),
  );
  expectMemory(plan, checkedBoolean("memoryCheck", options.memoryCheck));
  let seed = options.seed ?? 1;
  const made = isScaled(dtype) ? "bfloat16" : dtype;
  const weight = (name: string, tensorShape: readonly number[]) => {
    const count = elementCount(tensorShape);
    const numbers = normalNumbers(device, name, tensorShape, made, mean(name, zeros), seed++);
    if (!isScaled(dtype) || !isQuantizable(tensorShape, dtype)) {
      return ordered(name, new Tensor(device, numbers(0, count), tensorShape, made).keep(), skipZeros);
    }
    const columns = tensorShape[1];
    const rowsAt = (first: number, rows: number) => numbers(first * columns, rows * columns);
    return ordered(name, Tensor.quantizedFrom(device, dtype, tensorShape, rowsAt).keep(), skipZeros);
  };
  return new LanguageModel({
    config,
    modules: buildModules(config, device, weight, maxLength),
    tokenizer: undefined,
    device,
    dtype,
    eosTokenIds: [],
    maxLength,
    kvDtype,
    kvContexts: contexts,
    rope: "hf",
    weightBytes: plan.needed.weights,
    source: `random weights (${describe(config)})`,
  });
}

/** Gives `count` numbers of a weight from number `first` on, whatever was asked for before. */
function normalNumbers(
  device: Device,
  name: string,
  shape: readonly number[],
  dtype: "float32" | "bfloat16",
  mean: number,
  seed: number,
): (first: number, count: number) => NativeBuffer {
  const deviation = shape.length === 2 && !name.includes("embed") ? 1 / Math.sqrt(shape[1]) : 0.02;
  return (first, count) => {
    const buffer = device.stream.reserve(count * bytesPerElement[dtype], nativeDType[dtype]);
    native().fillNormal(device.stream, buffer, count, mean, deviation, seed, first);
    return buffer;
  };
}

function mean(name: string, zeros: number): number {
  if (name.endsWith("norm.weight")) return 1;
  // The normalised input makes pre-activations standard normal, so that this share of them is below the shift.
  return name.endsWith("dense_h_to_4h.bias") ? -normalQuantile(zeros) : 0;
}

/** The x below which a standard normal number lies with this probability, to 1e-6, by bisection. */
function normalQuantile(probability: number): number {
  let [low, high] = [-9, 9];
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Abramowitz and Stegun 26.2.17; off by 7.5e-8 at most. */
function normalCdf(x: number): number {
  if (x < 0) return 1 - normalCdf(-x);
  const t = 1 / (1 + 0.2316419 * x);
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

function describe(config: PersimmonConfig): string {
  return `hidden ${config.hiddenSize}, ${config.numHiddenLayers} layers, ${config.numAttentionHeads} heads, ffn ${config.intermediateSize}, vocabulary ${config.vocabSize}`;
}

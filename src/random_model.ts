import { freemem } from "node:os";
import { PersimmonError } from "./errors.js";
import { LanguageModel } from "./language_model.js";
import { expectedTensors, type PersimmonConfig, parseConfig } from "./model/config.js";
import { native, nativeDType } from "./native.js";
import { buildModules, type WeightDType } from "./runtime/load_weights.js";
import { Device } from "./tensor/device.js";
import { bytesPerElement } from "./tensor/dtype.js";
import { elementCount, Tensor } from "./tensor/tensor.js";

/** The sizes of a model to be made; what is missing is that of Persimmon-8B. */
export interface RandomShape {
  hidden?: number;
  layers?: number;
  heads?: number;
  ffn?: number;
  vocab?: number;
}

export interface RandomModelOptions {
  dtype?: WeightDType;
  threads?: number;
  maxLength?: number;
  /** Makes the weights repeatable; 1. */
  seed?: number;
}

/**
 * A model of any shape with random weights: what full-size speed is measured on where the real weights are not at hand.
 * Norm weights are 1, biases near 0, matrices scaled so that activations keep their size; about half of the squared ReLUs
 * are zero, fewer than in a trained model.
 * @throws PersimmonError OUT_OF_MEMORY before anything is allocated, when the weights do not fit
 */
export function randomModel(shape: RandomShape, options: RandomModelOptions = {}): LanguageModel {
  const dtype = options.dtype ?? "bfloat16";
  const config = parseConfig(
    {
      hidden_size: shape.hidden ?? 4096,
      num_hidden_layers: shape.layers ?? 36,
      num_attention_heads: shape.heads ?? 64,
      intermediate_size: shape.ffn ?? 16384,
      vocab_size: shape.vocab ?? 262144,
      max_position_embeddings: 16384,
      rope_theta: 25000,
    },
    "the shape asked for",
  );
  const weightBytes = [...expectedTensors(config).values()].reduce(
    (sum, tensorShape) => sum + elementCount(tensorShape) * bytesPerElement[dtype],
    0,
  );
  if (weightBytes > freemem()) {
    throw new PersimmonError(
      "OUT_OF_MEMORY",
      `weights of this shape take ${(weightBytes / 1e9).toFixed(1)} GB as ${dtype}, but ${(freemem() / 1e9).toFixed(1)} GB of memory are free: choose fewer layers or a smaller vocabulary`,
    );
  }
  const device = Device.cpu(options.threads);
  const maxLength = options.maxLength ?? config.maxPositionEmbeddings;
  let seed = options.seed ?? 1;
  const weight = (name: string, tensorShape: readonly number[]) =>
    randomWeight(device, name, tensorShape, dtype, seed++);
  return new LanguageModel({
    config,
    modules: buildModules(config, device, weight, maxLength),
    tokenizer: undefined,
    device,
    dtype,
    eosTokenIds: [],
    maxLength,
    weightBytes,
    source: `random weights (${describe(config)})`,
  });
}

function randomWeight(
  device: Device,
  name: string,
  shape: readonly number[],
  dtype: WeightDType,
  seed: number,
): Tensor {
  const count = elementCount(shape);
  const buffer = device.stream.reserve(count * bytesPerElement[dtype], nativeDType[dtype]);
  const isNormWeight = name.endsWith("norm.weight");
  const deviation = shape.length === 2 && !name.includes("embed") ? 1 / Math.sqrt(shape[1]) : 0.02;
  native().fillNormal(device.stream, buffer, count, isNormWeight ? 1 : 0, deviation, seed);
  return new Tensor(device, buffer, shape, dtype).keep();
}

function describe(config: PersimmonConfig): string {
  return `hidden ${config.hiddenSize}, ${config.numHiddenLayers} layers, ${config.numAttentionHeads} heads, ffn ${config.intermediateSize}, vocabulary ${config.vocabSize}`;
}

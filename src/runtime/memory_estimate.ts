import type { CheckpointTensor } from "../checkpoint/checkpoint.js";
import { isQuantizable } from "../checkpoint/quantized.js";
import { expectedTensors, type PersimmonConfig } from "../model/config.js";
import { bytesPerElement, type DType, isScaled } from "../tensor/dtype.js";
import { elementCount } from "../tensor/element_count.js";
import { tiledBytes } from "../tensor/scaled_memory.js";
import { type KvDType, kvBytesPerToken, pageTokens } from "./kv_cache.js";
import type { WeightDType } from "./load_weights.js";
import { prefillChunk } from "./prefill.js";

export interface MemoryQuestion {
  /** As in `loadModel`; "auto" takes the types that are stored, or that config.json names, or float32. */
  dtype: WeightDType | "auto";
  kvDtype: KvDType;
  /** Positions of one text, prompt and answer together. */
  maxLength: number;
  /** The tensors of the checkpoint, whose types "auto", and norms and biases in any case, depend on. */
  stored?: ReadonlyMap<string, Pick<CheckpointTensor, "dtype">>;
  /** Whether zeros are predicted: by int4 copies of the up projections, which count as weights; false. */
  predictsZeros?: boolean;
  /** Over how many ranks of this process it is split; 1. */
  ranks?: number;
  /** Whether a GPU's cuBLASLt multiplies prompts by weights of bfloat16 and int8; false. */
  cublasLt?: boolean;
}

/** Bytes of memory, each a part of `total`. */
export interface MemoryEstimate {
  /** All weights; those that keep their stored type are a mapped file, which the system may drop and read again. */
  weights: number;
  /** Keys and values of one text of `maxLength` positions. */
  kvCache: number;
  /** Activations of a chunk of a prompt, rotary tables and logits; on a GPU what cuBLASLt works in. */
  buffers: number;
  total: number;
}

/**
 * What a model will take in memory, by arithmetic alone. Beside it there are some 60 MB of Node and the library, and what tools ask
 * for: the logits of a whole chunk (`logprobs`: 512 · vocabulary · 4 B), watched values, further sequences.
 */
export function estimateMemory(config: PersimmonConfig, question: MemoryQuestion): MemoryEstimate {
  const { dtype, kvDtype, maxLength, stored, ranks = 1, cublasLt = false } = question;
  let weights = 0;
  let cublasLtBytes = 0;
  for (const [name, shape] of expectedTensors(config)) {
    const storedType = stored?.get(name)?.dtype ?? defaultType(config, dtype);
    const held = heldType(shape, storedType, dtype);
    weights += heldBytes(held, shape);
    if (cublasLt) cublasLtBytes = Math.max(cublasLtBytes, cublasLtProductBytes(held, shape, maxLength));
  }
  if (question.predictsZeros) {
    weights += config.numHiddenLayers * heldBytes("int4", [config.intermediateSize, config.hiddenSize]);
  }
  const kvCache = kvBytes(config, kvDtype, maxLength);
  const perRank = activationBytes(config, maxLength, ranks) + rotaryBytes(config, maxLength) + cublasLtBytes;
  const buffers = ranks * (perRank + logitBytes(config));
  return { weights, kvCache, buffers, total: weights + kvCache + buffers };
}

/** Of a checkpoint that nothing is known of but its config. */
function defaultType({ torchDtype }: PersimmonConfig, dtype: WeightDType | "auto"): DType {
  if (dtype === "float32" || dtype === "bfloat16") return dtype;
  return torchDtype ?? (dtype === "auto" ? "float32" : "bfloat16");
}

/** The type in which `loadWeight` holds a weight. */
function heldType(shape: readonly number[], stored: DType, dtype: WeightDType | "auto"): DType {
  const plain = stored === "float16" ? "float32" : stored;
  if (dtype === "auto") return plain;
  if (!isScaled(dtype)) return dtype;
  if (isQuantizable(shape, dtype)) return dtype;
  return isScaled(plain) ? "float32" : plain;
}

function heldBytes(dtype: DType, shape: readonly number[]): number {
  return isScaled(dtype) ? tiledBytes(dtype, shape) : elementCount(shape) * bytesPerElement[dtype];
}

const HUGE_PAGE = 2 ** 21;

/** Each layer's keys, and its values, are a range of their own, which the system fills in pages of 2 MiB. */
function kvBytes(config: PersimmonConfig, kvDtype: KvDType, maxLength: number): number {
  const { numHiddenLayers: layers, numAttentionHeads: heads, headDim } = config;
  const positions = Math.ceil(maxLength / pageTokens) * pageTokens;
  const bytes = (positions * kvBytesPerToken({ layers, heads, headDim, dtype: kvDtype })) / (2 * layers);
  return 2 * layers * (bytes < HUGE_PAGE ? bytes : Math.ceil(bytes / HUGE_PAGE) * HUGE_PAGE);
}

/**
 * A forward pass keeps the output of every layer until it ends, and inside of a layer five more values of the hidden size and two
 * of the MLP's; the arena keeps the blocks of queries, keys and values for the next pass. The rest of a prompt after
 * its whole chunks has blocks of its own, at most half as large: larger ones would use the same. Each rank of a split model has all of
 * the values of the hidden size, and its part of those of the MLP.
 */
function activationBytes(config: PersimmonConfig, maxLength: number, ranks: number): number {
  const { hiddenSize, intermediateSize, numHiddenLayers } = config;
  const chunk = Math.min(prefillChunk, maxLength);
  const perToken = 4 * ((numHiddenLayers + 5 + 3) * hiddenSize + (2 * intermediateSize) / ranks);
  return 1.5 * chunk * perToken;
}

const MOST_WIDENED_WEIGHTS = 2 ** 26;

/**
 * What one product takes (native/cuda/ops/linear_cublaslt.cu): cuBLASLt's workspace of 32 MiB, a chunk's activations as three bfloat16
 * each, and weights of int8 as bfloat16, unless they are more than are widened. Twice: the memory that ops work in has grown from a
 * smaller product's, which graphs may still use.
 */
function cublasLtProductBytes(dtype: DType, shape: readonly number[], maxLength: number): number {
  const weights = elementCount(shape);
  const isMultiplied = dtype === "bfloat16" || (dtype === "int8" && weights <= MOST_WIDENED_WEIGHTS);
  if (shape.length !== 2 || !isMultiplied) return 0;
  const activations = Math.min(prefillChunk, maxLength) * shape[1] * 3;
  const widened = dtype === "int8" ? weights : 0;
  return 2 * (2 ** 25 + (activations + widened) * bytesPerElement.bfloat16);
}

/** Cosines and sines in float32. */
function rotaryBytes({ rotaryDims }: PersimmonConfig, maxLength: number): number {
  return 4 * maxLength * rotaryDims;
}

/** Of one token in float32: in the plan, as its result, and copied for JavaScript. */
function logitBytes({ vocabSize }: PersimmonConfig): number {
  return 3 * 4 * vocabSize;
}

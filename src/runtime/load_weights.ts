import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Checkpoint,
  type CheckpointTensor,
  isQuantizable,
  storedElements,
} from "../checkpoint/index.js";
import { readRows } from "../checkpoint/read_tensor.js";
import { isDense, type StoredTensor } from "../checkpoint/stored_tensor.js";
import { PersimmonError } from "../errors.js";
import { Attention } from "../model/attention.js";
import type { PersimmonConfig } from "../model/config.js";
import { DecoderLayer } from "../model/decoder_layer.js";
import { MLP } from "../model/mlp.js";
import type { PersimmonParts } from "../model/persimmon.js";
import { rotaryTables } from "../model/rotary.js";
import { type NativeBuffer, native, nativeDType } from "../native.js";
import { Embedding } from "../nn/embedding.js";
import { LayerNorm } from "../nn/layer_norm.js";
import { Linear } from "../nn/linear.js";
import type { Device } from "../tensor/device.js";
import { bytesPerElement, type DType, isScaled } from "../tensor/dtype.js";
import { Tensor } from "../tensor/tensor.js";
import { type DroppedRows, droppedRowsOf, headBias, withDroppedRows } from "./dropped_rows.js";

/** Gives the tensor of a name in the checkpoint. */
export type WeightSource = (name: string, shape: readonly number[]) => Tensor;

/** How weights are held in memory: all of them, or of int8 and int4 the matrices, while the others stay as stored. */
export type WeightDType = "float32" | "bfloat16" | "int8" | "int4";

export function isWeightDType(dtype: unknown): dtype is WeightDType {
  return dtype === "float32" || dtype === "bfloat16" || isScaled(dtype as DType);
}

/**
 * A weight in the order in which its product is fastest. The down projection of an MLP becomes column-major: its input is
 * a squared ReLU, mostly zeros, whose columns need not be read. It takes the place of `tensor`, which is released.
 */
export function ordered(name: string, tensor: Tensor, skipZeros: boolean): Tensor {
  if (!skipZeros || !name.endsWith(".mlp.dense_4h_to_h.weight")) return tensor;
  return replaced(tensor, tensor.toColumnMajor());
}

/** A matrix as int8 or int4, in place of `tensor`, which is released; every other weight as it is. */
export function quantized(name: string, tensor: Tensor, dtype: "int8" | "int4"): Tensor {
  if (tensor.dtype === dtype || !isQuantizable(tensor.shape, dtype)) return tensor;
  try {
    return replaced(tensor, dtype === "int8" ? tensor.toInt8() : tensor.toInt4());
  } catch (error) {
    throw nameIn(error, name);
  }
}

/** An error about a weight, with its name in front. */
export function nameIn(error: unknown, name: string): unknown {
  return error instanceof PersimmonError
    ? new PersimmonError(error.code, `${name}: ${error.message}`)
    : error;
}

function replaced(tensor: Tensor, by: Tensor): Tensor {
  by.keep();
  tensor.release();
  return by;
}

/**
 * The weights of a checkpoint on a device. Weights whose stored type is the wanted one are used in place in the mapped
 * file; int8 and int4 are put in another order, others are converted.
 * @param dtype "auto" keeps what is stored (float16 becomes float32)
 * @throws PersimmonError CHECKPOINT_TRUNCATED, FILE_UNREADABLE, OUT_OF_MEMORY; WEIGHT_NOT_FINITE for int8 and int4
 * @param skipZeros see `ordered`
 */
export async function checkpointWeights(
  checkpoint: Checkpoint,
  device: Device,
  dtype: WeightDType | "auto",
  skipZeros: boolean,
  onProgress?: (loaded: number, total: number) => void,
): Promise<Map<string, Tensor>> {
  const weights = new Map<string, Tensor>();
  const files = new Map<string, NativeBuffer>();
  const total = [...checkpoint.tensors.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
  let loaded = 0;
  for (const tensor of checkpoint.tensors.values()) {
    const dropped = droppedRowsOf(tensor.name, checkpoint.config);
    const weight = await loadWeight(tensor, device, dtype, files, dropped);
    weights.set(tensor.name, ordered(tensor.name, weight, skipZeros));
    await nextTurn(); // converting and reordering block JavaScript
    loaded += tensor.byteLength;
    onProgress?.(loaded, total);
  }
  return weights;
}

/**
 * A weight of a checkpoint in the type that it is to be held in.
 * @param files those that are mapped already, by path
 * @param dropped rows that it has beside those of the file
 */
export async function loadWeight(
  tensor: CheckpointTensor,
  device: Device,
  dtype: WeightDType | "auto",
  files: Map<string, NativeBuffer>,
  dropped: DroppedRows | undefined,
): Promise<Tensor> {
  const bytesOf = (stored: StoredTensor) => {
    if (!isDense(stored)) return gathered("reserve", device, stored, 0, stored.shape[0] ?? 1);
    const file = files.get(stored.file) ?? device.stream.mapFile(stored.file);
    files.set(stored.file, file);
    return bytesIn(file, stored);
  };
  const elements = await bytesOf(storedElements(tensor));
  const scales = tensor.scale && (await bytesOf(tensor.scale));
  return held(tensor.name, inMemory(tensor, device, elements, scales, dropped).keep(), dtype);
}

function inMemory(
  { shape: stored, dtype }: CheckpointTensor,
  device: Device,
  elements: NativeBuffer,
  scales: NativeBuffer | undefined,
  dropped?: DroppedRows,
): Tensor {
  const shape = dropped === undefined ? stored : [stored[0] + dropped[1] - dropped[0], stored[1]];
  if (dtype !== "int8" && dtype !== "int4") {
    if (dropped === undefined) return new Tensor(device, elements, shape, dtype);
    const whole = withDroppedRows(device, elements, dtype, shape, dropped);
    elements.release();
    return new Tensor(device, whole, shape, dtype);
  }
  const rows = { elements: elements.view(0, elements.byteLength, nativeDType[dtype]), scales: scales! };
  const tensor = Tensor.fromRows(device, dtype, rows, shape, dropped);
  for (const buffer of [elements, rows.elements, rows.scales]) buffer.release();
  return tensor;
}

/** The bytes of a stored tensor in the mapped file. */
function bytesIn(file: NativeBuffer, tensor: StoredTensor): NativeBuffer {
  if (tensor.byteOffset + tensor.byteLength > file.byteLength) {
    throw new PersimmonError(
      "CHECKPOINT_TRUNCATED",
      `${tensor.file} became shorter while it was being loaded: ${tensor.name} ends at byte ${tensor.byteOffset + tensor.byteLength}, the file at ${file.byteLength}`,
    );
  }
  return file.view(tensor.byteOffset, tensor.byteLength, nativeDType[tensor.dtype as DType]);
}

// 16 MiB: what is in JavaScript's memory beside the tensor.
const BLOCK_BYTES = 16 * 2 ** 20;

/** A copy of rows of a stored tensor, read in blocks into memory of its own or of the arena. */
async function gathered(
  memory: "reserve" | "allocate",
  device: Device,
  tensor: StoredTensor,
  first: number,
  count: number,
): Promise<NativeBuffer> {
  const rowBytes = tensor.byteLength / (tensor.shape[0] ?? 1);
  const out = device.stream[memory](count * rowBytes, nativeDType[tensor.dtype as DType]);
  const blockRows = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  for (let row = 0; row < count; row += blockRows) {
    const bytes = await readRows(tensor, first + row, Math.min(blockRows, count - row));
    device.stream.write(out, row * rowBytes, bytes);
  }
  return out;
}

/**
 * Rows of a weight in another type, read without mapping the file: what a program that goes through a checkpoint once wants,
 * since mapped pages stay in memory.
 */
export async function loadRows(
  tensor: CheckpointTensor,
  device: Device,
  dtype: WeightDType,
  first: number,
  count: number,
): Promise<Tensor> {
  const elements = await gathered("allocate", device, storedElements(tensor), first, count);
  const scales = tensor.scale && (await gathered("allocate", device, tensor.scale, first, count));
  const shape = tensor.shape.length === 0 ? [] : [count, ...tensor.shape.slice(1)];
  return held(tensor.name, inMemory({ ...tensor, shape }, device, elements, scales).keep(), dtype);
}

/** A weight in the type that it is to be held in, in place of `stored`. */
function held(name: string, stored: Tensor, dtype: WeightDType | "auto"): Tensor {
  if (dtype === stored.dtype) return stored;
  const rounds = dtype !== "auto" && isScaled(dtype);
  const plain = stored.dtype === "float16" || (rounds && isScaled(stored.dtype)) ? "float32" : stored.dtype;
  const wanted = dtype === "auto" || rounds ? plain : dtype;
  const weight = wanted === stored.dtype ? stored : replaced(stored, converted(stored, wanted));
  return rounds ? quantized(name, weight, dtype) : weight;
}

function converted(stored: Tensor, to: DType): Tensor {
  const { device, shape, size } = stored;
  const out = device.stream.reserve(size * bytesPerElement[to], nativeDType[to]);
  const source = stored.buffer;
  native().convert(device.stream, out, source, size);
  if (source !== stored.memory) source.release();
  return new Tensor(device, out, shape, to);
}

/** Builds the modules of a Persimmon, asking `weight` for every tensor of the checkpoint by name and shape. */
export function buildModules(
  config: PersimmonConfig,
  device: Device,
  weight: WeightSource,
  maxLength: number,
): PersimmonParts {
  const { hiddenSize, intermediateSize, vocabSize, headDim, layerNormEps } = config;
  const linear = (name: string, outFeatures: number, inFeatures: number) =>
    new Linear(weight(`${name}.weight`, [outFeatures, inFeatures]), weight(`${name}.bias`, [outFeatures]));
  const norm = (name: string, width: number) =>
    new LayerNorm(weight(`${name}.weight`, [width]), weight(`${name}.bias`, [width]), layerNormEps);
  const rotary = rotaryTables(device, config, maxLength);

  const layer = (prefix: string) =>
    new DecoderLayer({
      inputLayernorm: norm(`${prefix}.input_layernorm`, hiddenSize),
      selfAttn: new Attention(
        {
          queryKeyValue: linear(`${prefix}.self_attn.query_key_value`, 3 * hiddenSize, hiddenSize),
          ...(config.qkLayernorm && {
            qLayernorm: norm(`${prefix}.self_attn.q_layernorm`, headDim),
            kLayernorm: norm(`${prefix}.self_attn.k_layernorm`, headDim),
          }),
          dense: linear(`${prefix}.self_attn.dense`, hiddenSize, hiddenSize),
        },
        config.numAttentionHeads,
        rotary,
      ),
      postAttentionLayernorm: norm(`${prefix}.post_attention_layernorm`, hiddenSize),
      mlp: new MLP(
        linear(`${prefix}.mlp.dense_h_to_4h`, intermediateSize, hiddenSize),
        linear(`${prefix}.mlp.dense_4h_to_h`, hiddenSize, intermediateSize),
      ),
    });

  const embedTokens = new Embedding(weight("model.embed_tokens.weight", [vocabSize, hiddenSize]));
  return {
    embedTokens,
    layers: Array.from({ length: config.numHiddenLayers }, (_, n) => layer(`model.layers.${n}`)),
    finalLayernorm: norm("model.final_layernorm", hiddenSize),
    lmHead: new Linear(
      config.tieWordEmbeddings ? embedTokens.weight : weight("lm_head.weight", [vocabSize, hiddenSize]),
      config.droppedTokenIds && headBias(device, config, config.droppedTokenIds),
    ),
  };
}

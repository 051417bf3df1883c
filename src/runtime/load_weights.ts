import { setImmediate as nextTurn } from "node:timers/promises";
import type { Checkpoint } from "../checkpoint/index.js";
import { readTensor } from "../checkpoint/read_tensor.js";
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
import { bytesPerElement, type DType } from "../tensor/dtype.js";
import { elementCount, Tensor } from "../tensor/tensor.js";

/** Gives the tensor of a name in the checkpoint. */
export type WeightSource = (name: string, shape: readonly number[]) => Tensor;

/** How weights are held in memory. */
export type WeightDType = "float32" | "bfloat16";

/**
 * A weight in the order in which its product is fastest. The down projection of an MLP becomes column-major: its input is
 * a squared ReLU, mostly zeros, whose columns need not be read. It takes the place of `tensor`, which is released.
 */
export function ordered(name: string, tensor: Tensor, skipZeros: boolean): Tensor {
  if (!skipZeros || !name.endsWith(".mlp.dense_4h_to_h.weight")) return tensor;
  const columnMajor = tensor.toColumnMajor().keep();
  tensor.release();
  return columnMajor;
}

/**
 * The weights of a checkpoint on a device. Weights whose stored type is the wanted one are used in place in the mapped
 * file; others are converted.
 * @param dtype "auto" keeps what is stored (float16 becomes float32)
 * @param skipZeros see `ordered`
 */
export async function checkpointWeights(
  checkpoint: Checkpoint,
  device: Device,
  dtype: WeightDType | "auto",
  skipZeros: boolean,
  onProgress?: (loaded: number, total: number) => void,
): Promise<Map<string, Tensor>> {
  const files = new Map<string, NativeBuffer>();
  const weights = new Map<string, Tensor>();
  const total = [...checkpoint.tensors.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
  let loaded = 0;
  for (const tensor of checkpoint.tensors.values()) {
    let file = files.get(tensor.file);
    if (file === undefined) {
      file = device.stream.mapFile(tensor.file);
      files.set(tensor.file, file);
    }
    if (tensor.byteOffset + tensor.byteLength > file.byteLength) {
      throw new PersimmonError(
        "CHECKPOINT_TRUNCATED",
        `${tensor.file} became shorter while it was being loaded: ${tensor.name} ends at byte ${tensor.byteOffset + tensor.byteLength}, the file at ${file.byteLength}`,
      );
    }
    let stored: NativeBuffer;
    if (tensor.strides === undefined) {
      stored = file.view(tensor.byteOffset, tensor.byteLength, nativeDType[tensor.dtype]);
    } else {
      const bytes = await readTensor(tensor);
      stored = device.stream.allocate(bytes.byteLength, nativeDType[tensor.dtype]);
      device.stream.write(stored, 0, bytes);
    }
    const wanted = dtype === "auto" ? (tensor.dtype === "float16" ? "float32" : tensor.dtype) : dtype;
    const asStored = converted(device, stored, tensor.shape, tensor.dtype, wanted);
    const weight = ordered(tensor.name, asStored, skipZeros);
    weights.set(tensor.name, weight);
    if (weight !== asStored) await nextTurn(); // reordering blocked JavaScript
    loaded += tensor.byteLength;
    onProgress?.(loaded, total);
  }
  return weights;
}

function converted(
  device: Device,
  stored: NativeBuffer,
  shape: readonly number[],
  from: DType,
  to: DType,
): Tensor {
  if (from === to) return new Tensor(device, stored, shape, to).keep();
  const count = elementCount(shape);
  const out = device.stream.reserve(count * bytesPerElement[to], nativeDType[to]);
  native().convert(device.stream, out, stored, count);
  stored.release();
  return new Tensor(device, out, shape, to).keep();
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
    ),
  };
}

import { Attention } from "../model/attention.js";
import type { PersimmonConfig } from "../model/config.js";
import { DecoderLayer } from "../model/decoder_layer.js";
import { MLP } from "../model/mlp.js";
import type { PersimmonParts } from "../model/persimmon.js";
import { type Rope, rotaryTables } from "../model/rotary.js";
import { Embedding } from "../nn/embedding.js";
import { LayerNorm } from "../nn/layer_norm.js";
import { Linear } from "../nn/linear.js";
import type { Device } from "../tensor/device.js";
import type { Tensor } from "../tensor/tensor.js";
import { headBias } from "./dropped_rows.js";

/** Gives the tensor of a name in the checkpoint. */
export type WeightSource = (name: string, shape: readonly number[]) => Tensor;

/** Builds the modules of a Persimmon, asking `weight` for every tensor of the checkpoint by name and shape. */
export function buildModules(
  config: PersimmonConfig,
  device: Device,
  weight: WeightSource,
  maxLength: number,
  rope: Rope = "hf",
): PersimmonParts {
  const { hiddenSize, intermediateSize, vocabSize, headDim, layerNormEps } = config;
  const linear = (name: string, outFeatures: number, inFeatures: number) =>
    new Linear(weight(`${name}.weight`, [outFeatures, inFeatures]), weight(`${name}.bias`, [outFeatures]));
  const norm = (name: string, width: number) =>
    new LayerNorm(weight(`${name}.weight`, [width]), weight(`${name}.bias`, [width]), layerNormEps);
  const rotary = rotaryTables(device, config, maxLength, rope);

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

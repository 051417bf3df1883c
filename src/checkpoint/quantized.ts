import type { PersimmonConfig } from "../model/config.js";

/**
 * How a quantised checkpoint is stored, as in the `int-quantized` format of compressed-tensors: `X.weight` as int8 of its own
 * shape, and beside it `X.weight_scale`, float32 [rows, 1]. Embedding, norms and biases keep their type. This is what
 * config.json says about it, for other readers; here the files themselves decide.
 */
export function quantizationConfig({ tieWordEmbeddings }: PersimmonConfig) {
  return {
    quant_method: "compressed-tensors",
    format: "int-quantized",
    quantization_status: "compressed",
    ignore: tieWordEmbeddings ? ["lm_head"] : [],
    config_groups: {
      group_0: {
        targets: ["Linear"],
        weights: { num_bits: 8, type: "int", symmetric: true, strategy: "channel", dynamic: false },
        input_activations: null,
        output_activations: null,
      },
    },
  };
}

/** The name of the scales of an int8 weight. */
export function scaleName(weight: string): string {
  return `${weight}_scale`;
}

/** Whether a weight is the matrix of a product: all others are small, or read one row at a time. */
export function isQuantizable(name: string, shape: readonly number[]): boolean {
  return shape.length === 2 && name !== "model.embed_tokens.weight";
}

import { expectedTensors, type PersimmonConfig } from "../model/config.js";

/** Numbers of a row that share a scale in int4. */
const GROUP = 32;

/**
 * How a quantised checkpoint is stored, as compressed-tensors does. int8 (`int-quantized`): `X.weight` of its own shape, and
 * beside it `X.weight_scale`, float32 [rows, 1]. int4 (`pack-quantized`): `X.weight_packed`, int32 [rows, columns / 8],
 * `X.weight_scale`, bfloat16 [rows, columns / 32], and `X.weight_shape`. Norms and biases keep their type. This is
 * what config.json says about it, for other readers; here the files themselves decide.
 */
export function quantizationConfig(config: PersimmonConfig, dtype: "int8" | "int4") {
  const int8 = dtype === "int8";
  // Modules that stay as they are.
  const ignore = [...expectedTensors(config)]
    .filter(([, shape]) => isQuantizable(shape) && !isQuantizable(shape, dtype))
    .map(([name]) => name.replace(/\.weight$/, ""));
  return {
    quant_method: "compressed-tensors",
    format: int8 ? "int-quantized" : "pack-quantized",
    quantization_status: "compressed",
    ignore: config.tieWordEmbeddings ? [...ignore, "lm_head"] : ignore,
    config_groups: {
      group_0: {
        targets: ["Linear", "Embedding"],
        weights: {
          num_bits: int8 ? 8 : 4,
          type: "int",
          symmetric: true,
          strategy: int8 ? "channel" : "group",
          ...(!int8 && { group_size: GROUP }),
          dynamic: false,
        },
        input_activations: null,
        output_activations: null,
      },
    },
  };
}

/** The name of the scales of an int8 or int4 weight. */
export function scaleName(weight: string): string {
  return `${weight}_scale`;
}

/** The name of the numbers of an int4 weight. */
export function packedName(weight: string): string {
  return `${weight}_packed`;
}

/** The name of the shape of an int4 weight, which other readers want; ours is that of the config. */
export function shapeName(weight: string): string {
  return `${weight}_shape`;
}

export function packedShape([rows, columns]: readonly number[]): number[] {
  return [rows, columns / 8];
}

export function scaleShape(dtype: "int8" | "int4", [rows, columns]: readonly number[]): number[] {
  return [rows, dtype === "int8" ? 1 : columns / GROUP];
}

/**
 * Whether int8 and int4 round a weight: the matrices of products and the embedding. All others are small. int4 also needs a
 * whole number of groups in a row.
 */
export function isQuantizable(shape: readonly number[], dtype: "int8" | "int4" = "int8"): boolean {
  return shape.length === 2 && (dtype === "int8" || shape[1] % GROUP === 0);
}

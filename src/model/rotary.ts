import type { Device } from "../tensor/device.js";
import { roundToBFloat16 } from "../tensor/dtype.js";
import type { RotaryTables } from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import type { PersimmonConfig } from "./config.js";

/** What of a config the angles depend on. */
export type RotaryConfig = Pick<PersimmonConfig, "rotaryDims" | "ropeTheta" | "ropeScaling">;

/**
 * How the angles are computed: as in the Hugging Face implementation, in float32, or as in Adept's own, in bfloat16 from
 * the positions to the cosines.
 */
export type Rope = "hf" | "adept";

/**
 * Inverse frequencies θ^(−2j / dims) for j = 0 … dims/2 − 1, rounded to float32 at the steps where the Hugging Face
 * implementation rounds; linear scaling divides them by its factor.
 */
export function inverseFrequencies(config: RotaryConfig): Float32Array {
  const { rotaryDims, ropeTheta, ropeScaling } = config;
  const frequencies = Float32Array.from({ length: rotaryDims / 2 }, (_, j) => {
    const power = Math.fround(ropeTheta ** Math.fround((2 * j) / rotaryDims));
    return 1 / power;
  });
  return ropeScaling === undefined ? frequencies : frequencies.map((value) => value / ropeScaling.factor);
}

/**
 * Cosines and sines of position · inverse frequency for positions 0 … positions − 1.
 *
 * With "hf" all of it is float32, as Hugging Face computes it. With "adept" the inverse frequency, the position, their
 * product, the cosine and the sine are each rounded to bfloat16, as in Adept's inference code (RotaryEmbedding of
 * flash-attention with `pos_idx_in_fp32=False`, all of whose buffers Megatron had made bfloat16). bfloat16 has 8 bits:
 * position 257 becomes 256, and 1,995 becomes 1,992, so that neighbours far into a text share their angles.
 * @returns two tables [positions, dims / 2]
 */
export function rotaryAngles(
  config: RotaryConfig,
  positions: number,
  rope: Rope = "hf",
): { cos: Float32Array; sin: Float32Array } {
  const round = rope === "adept" ? roundToBFloat16 : Math.fround;
  const inverse = inverseFrequencies(config).map(round);
  const half = inverse.length;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    const at = round(position);
    for (let j = 0; j < half; j++) {
      const angle = round(at * inverse[j]);
      cos[position * half + j] = round(Math.cos(angle));
      sin[position * half + j] = round(Math.sin(angle));
    }
  }
  return { cos, sin };
}

/** The tables as tensors on a device. */
export function rotaryTables(
  device: Device,
  config: RotaryConfig,
  positions: number,
  rope: Rope,
): RotaryTables {
  const { cos, sin } = rotaryAngles(config, positions, rope);
  const shape = [positions, config.rotaryDims / 2];
  return { cos: Tensor.from(device, cos, shape).keep(), sin: Tensor.from(device, sin, shape).keep() };
}

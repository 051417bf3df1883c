import type { Device } from "../tensor/device.js";
import type { RotaryTables } from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import type { PersimmonConfig } from "./config.js";

/** What of a config the angles depend on. */
export type RotaryConfig = Pick<PersimmonConfig, "rotaryDims" | "ropeTheta" | "ropeScaling">;

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
 * Cosines and sines of position · inverse frequency for positions 0 … positions − 1, in float32 as Hugging Face computes
 * them.
 * @returns two tables [positions, dims / 2]
 */
export function rotaryAngles(
  config: RotaryConfig,
  positions: number,
): { cos: Float32Array; sin: Float32Array } {
  const inverse = inverseFrequencies(config);
  const half = inverse.length;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let j = 0; j < half; j++) {
      const angle = Math.fround(position * inverse[j]);
      cos[position * half + j] = Math.cos(angle);
      sin[position * half + j] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** The tables as tensors on a device. */
export function rotaryTables(device: Device, config: RotaryConfig, positions: number): RotaryTables {
  const { cos, sin } = rotaryAngles(config, positions);
  const shape = [positions, config.rotaryDims / 2];
  return { cos: Tensor.from(device, cos, shape).keep(), sin: Tensor.from(device, sin, shape).keep() };
}

/**
 * Element types of tensors. Activations are float32, ids and positions int32, weights float32 or bfloat16, matrices of
 * products also int8, where each row has a float32 scale.
 */
export type DType = "float32" | "bfloat16" | "int32" | "float16" | "int8";

/** Bytes of one element. */
export const bytesPerElement: Record<DType, number> = {
  float32: 4,
  bfloat16: 2,
  int32: 4,
  float16: 2,
  int8: 1,
};

/** Widens bfloat16 numbers (the upper halves of float32 numbers) exactly. */
export function bfloat16ToFloat32(values: Uint16Array): Float32Array {
  const words = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) words[i] = values[i] << 16;
  return new Float32Array(words.buffer);
}

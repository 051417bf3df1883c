import { PersimmonError } from "../errors.js";

/**
 * Element types of tensors. Activations are float32, ids and positions int32, weights float32 or bfloat16, matrices of
 * products also int8, where each row has a float32 scale, and int4, where each 32 numbers of a row have a bfloat16 one.
 */
export type DType = "float32" | "bfloat16" | "int32" | "float16" | "int8" | "int4";

/** Types whose elements are whole numbers with scales beside them. */
export type ScaledDType = "int8" | "int4";

export function isScaled(dtype: DType): dtype is ScaledDType {
  return dtype === "int8" || dtype === "int4";
}

/** Bytes of one element, without scales. */
export const bytesPerElement: Record<DType, number> = {
  float32: 4,
  bfloat16: 2,
  int32: 4,
  float16: 2,
  int8: 1,
  int4: 0.5,
};

/** Bytes of one number of a large matrix: of int4 with its share of a scale. */
export function bytesPerWeight(dtype: DType): number {
  return dtype === "int4" ? 4.5 / 8 : bytesPerElement[dtype];
}

/** The nearest bfloat16, of two as near the even one, of a number that is rounded to float32 first; NaN stays NaN. */
export function roundToBFloat16(value: number): number {
  if (Number.isNaN(value)) return value;
  rounded[0] = value;
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return rounded[0];
}

const rounded = new Float32Array(1);
const bits = new Uint32Array(rounded.buffer);

/** Widens bfloat16 numbers (the upper halves of float32 numbers) exactly. */
export function bfloat16ToFloat32(values: Uint16Array): Float32Array {
  const words = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) words[i] = values[i] << 16;
  return new Float32Array(words.buffer);
}

/** The numbers of a float32, bfloat16 or int32 tensor (exact up to 2^24) from its bytes. */
export function toFloat32(bytes: ArrayBuffer, dtype: DType): Float32Array {
  switch (dtype) {
    case "float32":
      return new Float32Array(bytes);
    case "bfloat16":
      return bfloat16ToFloat32(new Uint16Array(bytes));
    case "int32":
      return Float32Array.from(new Int32Array(bytes));
    case "float16":
    case "int8":
    case "int4":
      throw new PersimmonError("DTYPE_UNSUPPORTED", `${dtype} tensors are converted before they are read`);
  }
}

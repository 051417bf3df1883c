/** Number formats of weights that the model computes with. */
export type CheckpointDType = "float32" | "bfloat16" | "float16";

/** Every number format that a safetensors file may hold here, by its code in the file, with bytes per element. */
export const SAFETENSORS_DTYPES = {
  F64: { name: "float64", bytes: 8 },
  F32: { name: "float32", bytes: 4 },
  F16: { name: "float16", bytes: 2 },
  BF16: { name: "bfloat16", bytes: 2 },
  I64: { name: "int64", bytes: 8 },
  I32: { name: "int32", bytes: 4 },
  I16: { name: "int16", bytes: 2 },
  I8: { name: "int8", bytes: 1 },
  U64: { name: "uint64", bytes: 8 },
  U32: { name: "uint32", bytes: 4 },
  U16: { name: "uint16", bytes: 2 },
  U8: { name: "uint8", bytes: 1 },
  BOOL: { name: "bool", bytes: 1 },
} as const;

export type SafetensorsCode = keyof typeof SAFETENSORS_DTYPES;

/** A number format that files hold; the model itself computes with {@link CheckpointDType} and int8 and int4 with scales only. */
export type StoredDType = (typeof SAFETENSORS_DTYPES)[SafetensorsCode]["name"];

const byName = new Map(
  Object.entries(SAFETENSORS_DTYPES).map(([code, { name, bytes }]) => [
    name as StoredDType,
    { code: code as SafetensorsCode, bytes },
  ]),
);

/** Bytes of one element. */
export function bytesPerElement(dtype: StoredDType): number {
  return byName.get(dtype)!.bytes;
}

export function safetensorsCode(dtype: StoredDType): SafetensorsCode {
  return byName.get(dtype)!.code;
}

export function isStoredDType(name: string): name is StoredDType {
  return byName.has(name as StoredDType);
}

export function isCheckpointDType(dtype: StoredDType): dtype is CheckpointDType {
  return dtype === "float32" || dtype === "bfloat16" || dtype === "float16";
}

/** Product of the dimensions, or undefined when it is too large to be exact. */
export function elementCount(shape: readonly number[]): number | undefined {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (count > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return count;
}

import { readFileSync } from "node:fs";
import { bfloat16ToFloat32 } from "../../src/tensor/dtype.js";

export interface ReferenceTensor {
  shape: number[];
  data: Float64Array;
}

/** Reads all tensors of a safetensors file of reference values (F32, BF16, F64, I64), widened to double precision. */
export function readReferenceTensors(path: string): Map<string, ReferenceTensor> {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerLength)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, ReferenceTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = entry.data_offsets.map((offset) => offset + 8 + headerLength);
    const bytes = new Uint8Array(file.subarray(begin, end)).buffer;
    const read = readers[entry.dtype];
    if (read === undefined) throw new Error(`${path}: ${name} is ${entry.dtype}`);
    tensors.set(name, { shape: entry.shape, data: read(bytes) });
  }
  return tensors;
}

const readers: Record<string, (bytes: ArrayBuffer) => Float64Array> = {
  F32: (bytes) => Float64Array.from(new Float32Array(bytes)),
  BF16: (bytes) => Float64Array.from(bfloat16ToFloat32(new Uint16Array(bytes))),
  F64: (bytes) => new Float64Array(bytes),
  I64: (bytes) => Float64Array.from(new BigInt64Array(bytes), Number),
};

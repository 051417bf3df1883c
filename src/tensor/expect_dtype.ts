import { PersimmonError, valueText } from "../errors.js";
import { bytesPerElement, type DType, isScaled } from "./dtype.js";

/** Throws `DTYPE_UNSUPPORTED` unless tensors of a type can be made without others. */
export function expectPlain(dtype: DType): void {
  if (isScaled(dtype)) {
    const method = dtype === "int8" ? "toInt8()" : "toInt4()";
    throw new PersimmonError("DTYPE_UNSUPPORTED", `${dtype} tensors are made from others, with ${method}`);
  }
  if (Object.hasOwn(bytesPerElement, dtype)) return;
  throw new PersimmonError(
    "DTYPE_UNSUPPORTED",
    `a tensor is "float32", "bfloat16", "int32" or "float16", got ${valueText(dtype)}`,
  );
}

/** Throws `DTYPE_MISMATCH` where a method is for tensors of another type. */
export function expectDType(method: string, found: DType, wanted: DType): void {
  if (found === wanted) return;
  throw new PersimmonError("DTYPE_MISMATCH", `${method} is for ${wanted} tensors, and this one is ${found}`);
}

import { PersimmonError } from "../../errors.js";
import type { DType } from "../dtype.js";
import { Tensor } from "../tensor.js";

/**
 * Checks one argument of an op: a tensor of one of `dtypes` whose shape agrees with `shape`, where `undefined` stands for
 * any size. Throws `ARGUMENT_INVALID`, `DTYPE_MISMATCH` or `SHAPE_MISMATCH`, naming the op and the argument.
 */
export function expectTensor(
  op: string,
  argument: string,
  tensor: unknown,
  shape: readonly (number | undefined)[],
  dtypes: readonly DType[] = ["float32"],
): asserts tensor is Tensor {
  if (!(tensor instanceof Tensor)) {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      `ops.${op}: ${argument} must be a Tensor, got ${describe(tensor)}`,
    );
  }
  if (!dtypes.includes(tensor.dtype)) {
    const isWidened = dtypes.includes("float32") && tensor.dtype !== "int32";
    const advice = isWidened ? `; ${argument}.toFloat32() has the same values in float32` : "";
    throw new PersimmonError(
      "DTYPE_MISMATCH",
      `ops.${op}: ${argument} must be ${dtypes.join(" or ")}, got ${tensor.dtype}${advice}`,
    );
  }
  const agrees =
    tensor.shape.length === shape.length &&
    shape.every((size, axis) => size === undefined || size === tensor.shape[axis]);
  if (!agrees) {
    const wanted = shape.map((size) => size ?? "any").join(", ");
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `ops.${op}: ${argument} must have shape [${wanted}], got [${tensor.shape.join(", ")}]`,
    );
  }
}

/** Checks that rows have at least one number, where there is no result without any. Throws `SHAPE_MISMATCH`. */
export function expectColumns(op: string, argument: string, width: number): void {
  if (width > 0) return;
  throw new PersimmonError("SHAPE_MISMATCH", `ops.${op}: ${argument} must have at least one column`);
}

/** Checks that an argument is a float32 tensor of at least one axis, of any shape. */
export function expectFloat32(op: string, argument: string, tensor: unknown): asserts tensor is Tensor {
  const rank = tensor instanceof Tensor ? tensor.shape.length : 1;
  expectTensor(op, argument, tensor, new Array<undefined>(rank).fill(undefined));
}

/** Checks that an argument is a number that float32 can hold. Throws `ARGUMENT_INVALID`. */
export function expectNumber(op: string, argument: string, value: unknown): asserts value is number {
  if (typeof value === "number" && Number.isFinite(Math.fround(value))) return;
  throw new PersimmonError(
    "ARGUMENT_INVALID",
    `ops.${op}: ${argument} must be a finite number, got ${String(value)}`,
  );
}

/** Checks that an argument is an axis of a tensor, from 0. Throws `INDEX_OUT_OF_RANGE`. */
export function expectAxis(op: string, axis: unknown, shape: readonly number[]): asserts axis is number {
  if (Number.isInteger(axis) && (axis as number) >= 0 && (axis as number) < shape.length) return;
  throw new PersimmonError(
    "INDEX_OUT_OF_RANGE",
    `ops.${op}: axis must be a whole number from 0 to below ${shape.length}, the axes of [${shape.join(", ")}], got ${String(axis)}`,
  );
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return String(value === null ? null : typeof value);
  return value.constructor?.name ?? "object";
}

/** Element types that weights are stored in. */
export const weightDTypes: readonly DType[] = ["float32", "bfloat16"];

/** Element types that matrices are held in: those of products, and the embedding. */
export const matrixDTypes: readonly DType[] = [...weightDTypes, "int8", "int4"];

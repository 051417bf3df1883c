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
    throw new PersimmonError(
      "DTYPE_MISMATCH",
      `ops.${op}: ${argument} must be ${dtypes.join(" or ")}, got ${tensor.dtype}`,
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

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return String(value === null ? null : typeof value);
  return value.constructor?.name ?? "object";
}

/** Element types that weights are stored in. */
export const weightDTypes: readonly DType[] = ["float32", "bfloat16"];

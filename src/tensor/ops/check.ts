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

/** Checks that an argument is a float32 tensor of at least one axis, of any shape. */
export function expectFloat32(op: string, argument: string, tensor: unknown): asserts tensor is Tensor {
  const rank = tensor instanceof Tensor ? tensor.shape.length : 1;
  expectTensor(op, argument, tensor, new Array<undefined>(rank).fill(undefined));
}

function describe(value: unknown): string {
  return value === null ? "null" : typeof value === "object" ? value.constructor.name : typeof value;
}

/** Element types that weights are stored in. */
export const weightDTypes: readonly DType[] = ["float32", "bfloat16"];

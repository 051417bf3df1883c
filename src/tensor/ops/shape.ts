import { PersimmonError } from "../../errors.js";
import { native } from "../../native.js";
import { bytesPerElement, type DType } from "../dtype.js";
import { elementCount } from "../element_count.js";
import { Tensor } from "../tensor.js";
import { expectAxis, expectTensor } from "./check.js";

const copied: readonly DType[] = ["float32", "int32", "bfloat16"];

/**
 * Elements `start` to `end` (exclusive) along an axis, copied. Throws `INDEX_OUT_OF_RANGE` unless
 * 0 ≤ start ≤ end ≤ shape[axis].
 * @param x of any shape; float32, int32 or bfloat16
 */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  expectCopied("slice", "x", x);
  expectAxis("slice", axis, x.shape);
  const size = x.shape[axis];
  if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= size)) {
    throw new PersimmonError(
      "INDEX_OUT_OF_RANGE",
      `ops.slice: start and end must be whole numbers with 0 <= start <= end <= ${size}, got ${String(start)} and ${String(end)} for axis ${axis} of [${x.shape.join(", ")}]`,
    );
  }
  const out = Tensor.empty(x.device, x.shape.with(axis, end - start), x.dtype);
  const { blocks, step } = alongAxis(x, axis);
  const bytes = (end - start) * step;
  const { stream } = x.device;
  native().slice(stream, out.buffer, 0, bytes, x.buffer, start * step, size * step, bytes, blocks);
  return out;
}

/**
 * Tensors one after another along an axis; they agree in type and in all other axes, else `DTYPE_MISMATCH` or
 * `SHAPE_MISMATCH`. Throws `ARGUMENT_INVALID` for an empty list.
 * @param tensors float32, int32 or bfloat16
 */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (!Array.isArray(tensors) || tensors.length === 0) {
    throw new PersimmonError("ARGUMENT_INVALID", "ops.concat: takes an array of at least one tensor");
  }
  const [first] = tensors as readonly Tensor[];
  expectCopied("concat", "tensors[0]", first);
  expectAxis("concat", axis, first.shape);
  const anySize = (first.shape as (number | undefined)[]).with(axis, undefined);
  for (const [i, tensor] of tensors.entries()) {
    expectTensor("concat", `tensors[${i}]`, tensor, anySize, [first.dtype]);
  }
  const total = tensors.reduce((sum, tensor) => sum + tensor.shape[axis], 0);
  const out = Tensor.empty(first.device, first.shape.with(axis, total), first.dtype);
  const { blocks, step } = alongAxis(first, axis);
  const { stream } = first.device;
  let offset = 0;
  for (const { buffer, shape } of tensors) {
    const bytes = shape[axis] * step;
    native().concat(stream, out.buffer, offset, total * step, buffer, 0, bytes, bytes, blocks);
    offset += bytes;
  }
  return out;
}

/** The last two axes exchanged: [..., rows, columns] → [..., columns, rows]. */
export function transpose(x: Tensor): Tensor {
  const rank = x instanceof Tensor ? Math.max(2, x.shape.length) : 2;
  expectTensor("transpose", "x", x, new Array<undefined>(rank).fill(undefined));
  const [rows, columns] = x.shape.slice(-2);
  const outer = x.shape.slice(0, -2);
  const out = Tensor.empty(x.device, [...outer, columns, rows]);
  native().transpose(x.device.stream, out.buffer, x.buffer, elementCount(outer), rows, columns);
  return out;
}

function expectCopied(op: string, argument: string, x: unknown): asserts x is Tensor {
  const rank = x instanceof Tensor ? x.shape.length : 1;
  expectTensor(op, argument, x, new Array<undefined>(rank).fill(undefined), copied);
}

/** How many times the axis is passed through, and the bytes of one step along it. */
function alongAxis(x: Tensor, axis: number): { blocks: number; step: number } {
  return {
    blocks: elementCount(x.shape.slice(0, axis)),
    step: elementCount(x.shape.slice(axis + 1)) * bytesPerElement[x.dtype],
  };
}

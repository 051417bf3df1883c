import { PersimmonError } from "../../errors.js";
import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectFloat32, expectNumber } from "./check.js";
import { rowsAndWidth } from "./rows.js";

/**
 * a + b, element by element. Either may also be a vector as long as the last axis of the other, which is added to every
 * row, or have one element, which is added everywhere. Throws `SHAPE_MISMATCH` for any other two shapes.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  return binary("add", a, b);
}

/** a − b, element by element; broadcasts like `add`. */
export function sub(a: Tensor, b: Tensor): Tensor {
  return binary("sub", a, b);
}

/** a · b, element by element; broadcasts like `add`. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return binary("mul", a, b);
}

/** x · factor, rounded to float32. Throws `ARGUMENT_INVALID` for a factor that is no finite number. */
export function scale(x: Tensor, factor: number): Tensor {
  expectFloat32("scale", "x", x);
  expectNumber("scale", "factor", factor);
  const out = Tensor.empty(x.device, x.shape);
  native().scale(x.device.stream, out.buffer, x.buffer, factor, x.size);
  return out;
}

function binary(op: "add" | "sub" | "mul", a: Tensor, b: Tensor): Tensor {
  expectFloat32(op, "a", a);
  expectFloat32(op, "b", b);
  const { stream } = a.device;
  if (a.shape.join() === b.shape.join()) {
    const out = Tensor.empty(a.device, a.shape);
    native()[op](stream, out.buffer, a.buffer, b.buffer, a.size);
    return out;
  }
  const larger = spreadsOver(b, a) ? a : spreadsOver(a, b) ? b : undefined;
  if (larger === undefined) {
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `ops.${op}: both must have one shape, or one be a vector as long as the last axis of the other or a single number; got [${a.shape.join(", ")}] and [${b.shape.join(", ")}]`,
    );
  }
  const out = Tensor.empty(a.device, larger.shape);
  const [rows, width] = rowsAndWidth(larger);
  native()[`${op}Broadcast`](stream, out.buffer, a.buffer, b.buffer, rows, width, a.size, b.size);
  return out;
}

/** Whether `small` is one row, or one number, for all of `large`. */
function spreadsOver(small: Tensor, large: Tensor): boolean {
  const fits = small.shape.length <= large.shape.length;
  const isRow = small.shape.length === 1 && small.shape[0] === large.shape[large.shape.length - 1];
  return fits && (isRow || small.size === 1);
}

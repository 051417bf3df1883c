import { PersimmonError } from "../../errors.js";
import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectFloat32 } from "./check.js";

/** a + b, of one shape. */
export function add(a: Tensor, b: Tensor): Tensor {
  expectFloat32("add", "a", a);
  expectFloat32("add", "b", b);
  if (a.shape.join() !== b.shape.join()) {
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `ops.add: both must have one shape, got [${a.shape.join(", ")}] and [${b.shape.join(", ")}]`,
    );
  }
  const out = Tensor.empty(a.device, a.shape);
  native().add(a.device.stream, out.buffer, a.buffer, b.buffer, a.size);
  return out;
}

/** max(x, 0)², the activation of Persimmon (squared ReLU; So et al. 2021, "Primer"). */
export function reluSquared(x: Tensor): Tensor {
  expectFloat32("reluSquared", "x", x);
  const out = Tensor.empty(x.device, x.shape);
  native().reluSquared(x.device.stream, out.buffer, x.buffer, x.size);
  return out;
}

/** Softmax over the last axis. */
export function softmax(x: Tensor): Tensor {
  return alongRows("softmax", x);
}

/** The logarithm of the softmax over the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  return alongRows("logSoftmax", x);
}

function alongRows(op: "softmax" | "logSoftmax", x: Tensor): Tensor {
  expectFloat32(op, "x", x);
  const [rows, width] = rowsAndWidth(x);
  const out = Tensor.empty(x.device, x.shape);
  if (x.size > 0) native()[op](x.device.stream, out.buffer, x.buffer, rows, width);
  return out;
}

/** A tensor seen as rows along its last axis. */
export function rowsAndWidth(x: Tensor): [rows: number, width: number] {
  const width = x.shape[x.shape.length - 1] ?? 1;
  return [width === 0 ? 0 : x.size / width, width];
}

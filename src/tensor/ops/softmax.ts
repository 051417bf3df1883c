import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectFloat32 } from "./check.js";
import { rowsAndWidth } from "./rows.js";

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

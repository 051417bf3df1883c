import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectColumns, expectFloat32 } from "./check.js";
import { rowsAndWidth } from "./rows.js";

/** The sum over the last axis, [..., width] → [...]; taken in double precision. A row of no numbers gives 0. */
export function sum(x: Tensor): Tensor {
  return reduced("sum", x);
}

/** The mean over the last axis, [..., width] → [...]. Throws `SHAPE_MISMATCH` for a width of 0. */
export function mean(x: Tensor): Tensor {
  return reduced("mean", x);
}

/**
 * The largest number along the last axis, [..., width] → [...]; NaN where there is one. Throws `SHAPE_MISMATCH` for a
 * width of 0.
 */
export function max(x: Tensor): Tensor {
  return reduced("max", x);
}

/**
 * The smallest number along the last axis, [..., width] → [...]; NaN where there is one. Throws `SHAPE_MISMATCH` for a
 * width of 0.
 */
export function min(x: Tensor): Tensor {
  return reduced("min", x);
}

function reduced(op: "sum" | "mean" | "max" | "min", x: Tensor): Tensor {
  expectFloat32(op, "x", x);
  const [rows, width] = rowsAndWidth(x);
  if (op !== "sum") expectColumns(op, "x", width);
  const out = Tensor.empty(x.device, x.shape.slice(0, -1));
  native()[op](x.device.stream, out.buffer, x.buffer, rows, width);
  return out;
}

import { PersimmonError } from "../errors.js";
import type { Tensor } from "./tensor.js";

const shown = 6;

/**
 * A tensor as a notebook shows it: shape, element type and the values at the two ends. Reads those values only, and waits
 * until they are computed.
 */
export async function preview(tensor: Tensor): Promise<Record<string, unknown>> {
  const what = `Tensor [${tensor.shape.join(", ")}] ${tensor.dtype}`;
  let flat: Tensor;
  try {
    flat = tensor.reshape([tensor.size]);
  } catch (error) {
    if (error instanceof PersimmonError && error.code === "TENSOR_RELEASED")
      return { "text/plain": `${what}, released` };
    throw error;
  }
  const first = flat.rows(0, Math.min(tensor.size, shown));
  const last = flat.rows(Math.max(first.size, tensor.size - shown), tensor.size);
  try {
    const text = (values: Float32Array) =>
      Array.from(values, (value) => String(Number(value.toPrecision(5))));
    const begin = text(await first.data());
    const end = last.size === 0 ? [] : text(await last.data());
    const gap = tensor.size > first.size + last.size ? ["…"] : [];
    return { "text/plain": `${what}: ${[...begin, ...gap, ...end].join(", ")}` };
  } finally {
    for (const view of [last, first, flat]) view.release();
  }
}

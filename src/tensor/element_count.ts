import { PersimmonError } from "../errors.js";

/** Elements of a shape. Throws `SHAPE_INVALID` unless all sizes are whole numbers from 0 to 2^31 − 1. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0 || size >= 2 ** 31) {
      throw new PersimmonError(
        "SHAPE_INVALID",
        `a shape has whole numbers from 0 to 2147483647, got [${shape.join(", ")}]`,
      );
    }
    count *= size;
  }
  return count;
}

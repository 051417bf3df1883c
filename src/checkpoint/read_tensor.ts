import { constants } from "node:buffer";
import { PersimmonError } from "../errors.js";
import { type CheckpointTensor, storedElements } from "./checkpoint.js";
import { bytesPerElement } from "./dtype.js";
import { PositionalFile } from "./file.js";
import { byteSpan, type StoredTensor } from "./stored_tensor.js";

/**
 * The bytes of a tensor, row-major and dense: the file's own bytes, gathered where the tensor has strides; of an int4 weight
 * its packed numbers.
 *
 * @throws PersimmonError CHECKPOINT_UNREADABLE, CHECKPOINT_TRUNCATED, TENSOR_TOO_LARGE (more than one buffer holds)
 */
export async function readTensor(declared: StoredTensor | CheckpointTensor): Promise<Uint8Array> {
  const tensor = storedElements(declared);
  const span = byteSpan(tensor);
  if (Math.max(span, tensor.byteLength) > constants.MAX_LENGTH) {
    throw new PersimmonError(
      "TENSOR_TOO_LARGE",
      `${tensor.file}: tensor "${tensor.name}" has ${tensor.byteLength} bytes; one buffer holds ${constants.MAX_LENGTH}.`,
    );
  }
  return PositionalFile.use(tensor.file, async (file) => {
    const bytes = await file.read(tensor.byteOffset, span, `tensor "${tensor.name}"`);
    return tensor.strides === undefined ? bytes : gather(bytes, tensor, tensor.strides);
  });
}

/** Copies elements into row-major order, walking the axes like an odometer. */
function gather(source: Uint8Array, tensor: StoredTensor, strides: number[]): Uint8Array {
  const { shape, byteLength } = tensor;
  const width = bytesPerElement(tensor.dtype);
  const result = new Uint8Array(byteLength);
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < byteLength; to += width) {
    for (let byte = 0; byte < width; byte++) result[to + byte] = source[from + byte];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis] * width;
      if (++index[axis] < shape[axis]) break;
      from -= shape[axis] * strides[axis] * width;
      index[axis] = 0;
    }
  }
  return result;
}

import { constants } from "node:buffer";
import { PersimmonError } from "../errors.js";
import { type CheckpointTensor, storedElements } from "./checkpoint.js";
import { bytesPerElement } from "./dtype.js";
import { PositionalFile } from "./file.js";
import { byteSpan, isDense, type StoredTensor } from "./stored_tensor.js";

/**
 * The bytes of a tensor, row-major and dense: the file's own bytes, gathered where the tensor has strides or parts; of an int4
 * weight its packed numbers.
 *
 * @throws PersimmonError CHECKPOINT_UNREADABLE, CHECKPOINT_TRUNCATED, TENSOR_TOO_LARGE (more than one buffer holds)
 */
export async function readTensor(declared: StoredTensor | CheckpointTensor): Promise<Uint8Array> {
  const tensor = storedElements(declared);
  return readRows(tensor, 0, tensor.shape[0] ?? 1);
}

/**
 * As `readTensor`, but only rows `first` to `first + count` of the first axis, so that no more of a large matrix needs to be in
 * memory. A scalar has one row.
 */
export async function readRows(tensor: StoredTensor, first: number, count: number): Promise<Uint8Array> {
  const rows = rowsOf(tensor, first, count);
  const span = byteSpan(rows);
  if (Math.max(span, rows.byteLength) > constants.MAX_LENGTH) {
    throw new PersimmonError(
      "TENSOR_TOO_LARGE",
      `${tensor.file}: tensor "${tensor.name}" has ${rows.byteLength} bytes; one buffer holds ${constants.MAX_LENGTH}.`,
    );
  }
  if (tensor.parts !== undefined) {
    return tensor.joinedAlong === 1
      ? sideBySide(tensor.parts, first, count)
      : oneAfterTheOther(tensor.parts, first, count);
  }
  return PositionalFile.use(rows.file, async (file) => {
    const bytes = await file.read(rows.byteOffset, span, `tensor "${rows.name}"`);
    return rows.strides === undefined ? bytes : gather(bytes, rows, rows.strides);
  });
}

// 8 MiB: at 8B size the embedding and the head have 2 GB each.
const BLOCK_BYTES = 8 * 2 ** 20;

/** Whether two tensors are the same to the last bit; read in blocks of rows. */
export async function sameBytes(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  if (a.dtype !== b.dtype || String(a.shape) !== String(b.shape)) return false;
  if (isDense(a) && isDense(b) && a.file === b.file && a.byteOffset === b.byteOffset) return true;
  const rows = a.shape[0] ?? 1;
  const blockRows = Math.max(1, Math.floor((BLOCK_BYTES * rows) / Math.max(1, a.byteLength)));
  for (let first = 0; first < rows; first += blockRows) {
    const count = Math.min(blockRows, rows - first);
    const [left, right] = [await readRows(a, first, count), await readRows(b, first, count)];
    if (Buffer.compare(left, right) !== 0) return false;
  }
  return true;
}

function rowsOf(tensor: StoredTensor, first: number, count: number): StoredTensor {
  const [rows, ...rest] = tensor.shape;
  if (rows === undefined || (first === 0 && count === rows)) return tensor;
  const width = bytesPerElement(tensor.dtype);
  const rowElements = rest.reduce((product, size) => product * size, 1);
  const step = tensor.strides?.[0] ?? rowElements;
  return {
    ...tensor,
    shape: [count, ...rest],
    byteOffset: tensor.byteOffset + first * step * width,
    byteLength: count * rowElements * width,
  };
}

async function oneAfterTheOther(parts: StoredTensor[], first: number, count: number): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  let before = 0;
  for (const part of parts) {
    const start = Math.max(first - before, 0);
    const end = Math.min(first + count - before, part.shape[0]);
    if (start < end) found.push(await readRows(part, start, end - start));
    before += part.shape[0];
  }
  return found.length === 1 ? found[0] : Buffer.concat(found);
}

async function sideBySide(parts: StoredTensor[], first: number, count: number): Promise<Uint8Array> {
  const blocks: Uint8Array[] = [];
  for (const part of parts) blocks.push(await readRows(part, first, count));
  const widths = blocks.map((block) => block.byteLength / count);
  const rowBytes = widths.reduce((sum, width) => sum + width, 0);
  const joined = new Uint8Array(rowBytes * count);
  let at = 0;
  blocks.forEach((block, index) => {
    const width = widths[index];
    for (let row = 0; row < count; row++) {
      joined.set(block.subarray(row * width, (row + 1) * width), row * rowBytes + at);
    }
    at += width;
  });
  return joined;
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

import {
  type Checkpoint,
  type CheckpointTensor,
  isQuantizable,
  storedElements,
} from "../checkpoint/index.js";
import { readRows } from "../checkpoint/read_tensor.js";
import { isDense, type StoredTensor } from "../checkpoint/stored_tensor.js";
import { PersimmonError } from "../errors.js";
import { throwIfInterrupted } from "../host.js";
import type { PersimmonConfig } from "../model/config.js";
import { type NativeBuffer, native, nativeDType } from "../native.js";
import type { Device } from "../tensor/device.js";
import { bytesPerElement, type DType, isScaled } from "../tensor/dtype.js";
import { Tensor } from "../tensor/tensor.js";
import { type DroppedRows, droppedRowsOf, withDroppedRows } from "./dropped_rows.js";
import { ReadAhead } from "./read_ahead.js";

/** How weights are held in memory: all of them, or of int8 and int4 the matrices, while the others stay as stored. */
export type WeightDType = "float32" | "bfloat16" | "int8" | "int4";

export function isWeightDType(dtype: unknown): dtype is WeightDType {
  return dtype === "float32" || dtype === "bfloat16" || isScaled(dtype as DType);
}

/**
 * A weight in the order in which its product is fastest. The down projection of an MLP becomes column-major: its input is
 * a squared ReLU, mostly zeros, whose columns need not be read. It takes the place of `tensor`, which is released.
 */
export function ordered(name: string, tensor: Tensor, skipZeros: boolean, nonFinite?: number): Tensor {
  return isReordered(name, skipZeros) ? replaced(tensor, tensor.toColumnMajor(nonFinite)) : tensor;
}

function isReordered(name: string, skipZeros: boolean): boolean {
  return skipZeros && name.endsWith(".mlp.dense_4h_to_h.weight");
}

/** A matrix as int8 or int4, in place of `tensor`, which is released; every other weight as it is. */
async function quantized(name: string, tensor: Tensor, dtype: "int8" | "int4"): Promise<Tensor> {
  if (tensor.dtype === dtype || !isQuantizable(tensor.shape, dtype)) return tensor;
  const nonFinite = await tensor.nonFinite();
  try {
    return replaced(tensor, dtype === "int8" ? tensor.toInt8(nonFinite) : tensor.toInt4(nonFinite));
  } catch (error) {
    throw nameIn(error, name);
  }
}

/** An error about a weight, with its name in front. */
export function nameIn(error: unknown, name: string): unknown {
  return error instanceof PersimmonError
    ? new PersimmonError(error.code, `${name}: ${error.message}`)
    : error;
}

/** `by` in place of `tensor`, which is released. */
export function replaced(tensor: Tensor, by: Tensor): Tensor {
  by.keep();
  tensor.release();
  return by;
}

/** What is taken of each weight by one of the ranks of a split model; a tensor that is not returned is released. */
export interface WeightParts {
  /** Of a weight in the type of the file. */
  ofStored(name: string, tensor: Tensor): Tensor;
  /** Of a weight in the type that it is held in. */
  ofHeld(name: string, tensor: Tensor): Tensor;
}

const wholeWeights: WeightParts = { ofStored: (_, tensor) => tensor, ofHeld: (_, tensor) => tensor };

/** Weights that the device may be given before it is done with those before them: it need not wait for JavaScript. */
const inFlight = 2;

/** A weight that the device was given. */
interface EnqueuedWeight {
  tensor: CheckpointTensor;
  /** Whether it lies in the mapped file, whose bytes are then still needed. */
  isUsed: boolean;
  /** Settles when the device is done with it. */
  done: Promise<void>;
}

/**
 * The weights of a checkpoint on a device. Weights whose stored type is the wanted one are used in place in the mapped
 * file; int8 and int4 are put in another order, others are converted, on the device's threads. The files are read in their
 * order and ahead of that, and JavaScript never waits.
 * @param dtype "auto" keeps what is stored (float16 becomes float32)
 * @param device where they are read and put in order: a CPU
 * @param options `target`: the device that they are for, the same unless given; `skipZeros`: see `ordered`; `readAhead`: false where the mapped weights do not fit into memory, so that
 *   those used in place would be read twice; `onProgress` is told the bytes of the file whose weights are ready, and what it throws ends
 *   the loading and is thrown on; `signal` ends it after the weight under way
 * @throws PersimmonError CHECKPOINT_TRUNCATED, FILE_UNREADABLE, OUT_OF_MEMORY, INTERRUPTED; WEIGHT_NOT_FINITE for int8 and int4
 */
export async function checkpointWeights(
  checkpoint: Checkpoint,
  device: Device,
  dtype: WeightDType | "auto",
  options: {
    target?: Device;
    skipZeros: boolean;
    readAhead?: boolean;
    /** Default: all of each weight. */
    parts?: WeightParts;
    signal?: AbortSignal;
    onProgress?: (loaded: number, total: number) => void;
  },
): Promise<Map<string, Tensor>> {
  const { skipZeros, signal, onProgress, target = device } = options;
  const { config } = checkpoint;
  const weights = new Map<string, Tensor>();
  const files = new Map<string, NativeBuffer>();
  const tensors = inFileOrder(checkpoint.tensors.values());
  const total = tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0);
  const reads = tensors.map((tensor) => ({
    bytes: tensor.byteLength,
    fetch: () =>
      options.readAhead === false && isUsedInPlace(tensor, config, dtype, skipZeros)
        ? Promise.resolve()
        : fetchBytes(storedElements(tensor), device, files),
  }));
  const ahead = new ReadAhead(reads);
  let loaded = 0;
  const enqueued: EnqueuedWeight[] = [];
  const finishFirst = async () => {
    const [{ tensor, isUsed, done }] = enqueued.splice(0, 1);
    await done;
    if (!isUsed) unloadBytes(storedElements(tensor), files);
    loaded += tensor.byteLength;
    onProgress?.(loaded, total);
  };
  try {
    for (const tensor of tensors) {
      if (signal !== undefined) throwIfInterrupted(signal);
      await ahead.next();
      const dropped = droppedRowsOf(tensor.name, config);
      const weight = await loadWeight(tensor, device, dtype, files, dropped, options.parts);
      const nonFinite = isReordered(tensor.name, skipZeros) ? await weight.nonFinite() : 0;
      const inOrder = ordered(tensor.name, weight, skipZeros, nonFinite);
      const isCopy = inOrder.dtype !== tensor.dtype || isScaled(inOrder.dtype) || inOrder.isColumnMajor;
      weights.set(tensor.name, target === device ? inOrder : replaced(inOrder, inOrder.to(target)));
      const done = reached(target);
      done.catch(() => {}); // thrown where it is waited for, which is later
      enqueued.push({ tensor, isUsed: !isCopy && target === device, done });
      if (enqueued.length > inFlight) await finishFirst();
    }
    while (enqueued.length > 0) await finishFirst();
  } catch (error) {
    await Promise.allSettled(enqueued.map(({ done }) => done));
    throw error;
  }
  return weights;
}

/** Whether a weight needs no memory beside the mapped file, of which the system may drop parts and read them again. */
export function isUsedInPlace(
  tensor: CheckpointTensor,
  config: PersimmonConfig,
  dtype: WeightDType | "auto",
  skipZeros: boolean,
): boolean {
  const { name, dtype: stored, scale } = tensor;
  const keepsType = dtype === "auto" ? stored !== "float16" : dtype === stored;
  const isWhole = isDense(storedElements(tensor)) && droppedRowsOf(name, config) === undefined;
  return keepsType && scale === undefined && isWhole && !isReordered(name, skipZeros);
}

function inFileOrder(tensors: Iterable<CheckpointTensor>): CheckpointTensor[] {
  const place = (tensor: CheckpointTensor) => storedElements(tensor);
  return [...tensors].sort((one, other) => {
    const [a, b] = [place(one), place(other)];
    if (a.file !== b.file) return a.file < b.file ? -1 : 1;
    return a.byteOffset - b.byteOffset;
  });
}

/** Brings the bytes of a stored tensor into memory; what is wrong with the file is said by who reads it. */
async function fetchBytes(
  stored: StoredTensor,
  device: Device,
  files: Map<string, NativeBuffer>,
): Promise<void> {
  if (!isDense(stored)) return; // it is read into memory by who gathers it
  const file = mapped(stored.file, device, files);
  const end = Math.min(stored.byteOffset + stored.byteLength, file.byteLength);
  if (end <= stored.byteOffset) return;
  const part = file.view(stored.byteOffset, end - stored.byteOffset, nativeDType.float32);
  await part.fetch();
  part.release();
}

/** Has the bytes of a stored tensor, which nobody needs any more, take no memory: else a model would load in twice its size. */
function unloadBytes(stored: StoredTensor, files: Map<string, NativeBuffer>): void {
  const file = files.get(stored.file);
  if (file === undefined || !isDense(stored)) return;
  const part = bytesIn(file, stored);
  part.unload();
  part.release();
}

function mapped(path: string, device: Device, files: Map<string, NativeBuffer>): NativeBuffer {
  const file = files.get(path) ?? device.stream.mapFile(path);
  files.set(path, file);
  return file;
}

/** Resolves when the device has done what was enqueued so far. */
async function reached(device: Device): Promise<void> {
  using mark = Tensor.from(device, Int32Array.of(0));
  await mark.integers();
}

/**
 * A weight of a checkpoint in the type that it is to be held in.
 * @param files those that are mapped already, by path
 * @param dropped rows that it has beside those of the file
 */
export async function loadWeight(
  tensor: CheckpointTensor,
  device: Device,
  dtype: WeightDType | "auto",
  files: Map<string, NativeBuffer>,
  dropped: DroppedRows | undefined,
  parts: WeightParts = wholeWeights,
): Promise<Tensor> {
  const bytesOf = (stored: StoredTensor) => {
    if (!isDense(stored)) return gathered("reserve", device, stored, 0, stored.shape[0] ?? 1);
    return bytesIn(mapped(stored.file, device, files), stored);
  };
  const elements = await bytesOf(storedElements(tensor));
  const scales = tensor.scale && (await bytesOf(tensor.scale));
  const { name } = tensor;
  const stored = parts.ofStored(name, inMemory(tensor, device, elements, scales, dropped).keep());
  return parts.ofHeld(name, await held(name, stored, dtype));
}

function inMemory(
  { shape: stored, dtype }: CheckpointTensor,
  device: Device,
  elements: NativeBuffer,
  scales: NativeBuffer | undefined,
  dropped?: DroppedRows,
): Tensor {
  const shape = dropped === undefined ? stored : [stored[0] + dropped[1] - dropped[0], stored[1]];
  if (dtype !== "int8" && dtype !== "int4") {
    if (dropped === undefined) return new Tensor(device, elements, shape, dtype);
    const whole = withDroppedRows(device, elements, dtype, shape, dropped);
    elements.release();
    return new Tensor(device, whole, shape, dtype);
  }
  const rows = { elements: elements.view(0, elements.byteLength, nativeDType[dtype]), scales: scales! };
  const tensor = Tensor.fromRows(device, dtype, rows, shape, dropped);
  for (const buffer of [elements, rows.elements, rows.scales]) buffer.release();
  return tensor;
}

/** The bytes of a stored tensor in the mapped file. */
function bytesIn(file: NativeBuffer, tensor: StoredTensor): NativeBuffer {
  if (tensor.byteOffset + tensor.byteLength > file.byteLength) {
    throw new PersimmonError(
      "CHECKPOINT_TRUNCATED",
      `${tensor.file} became shorter while it was being loaded: ${tensor.name} ends at byte ${tensor.byteOffset + tensor.byteLength}, the file at ${file.byteLength}`,
    );
  }
  return file.view(tensor.byteOffset, tensor.byteLength, nativeDType[tensor.dtype as DType]);
}

// 16 MiB: what is in JavaScript's memory beside the tensor.
const BLOCK_BYTES = 16 * 2 ** 20;

/** A copy of rows of a stored tensor, read in blocks into memory of its own or of the arena. */
async function gathered(
  memory: "reserve" | "allocate",
  device: Device,
  tensor: StoredTensor,
  first: number,
  count: number,
): Promise<NativeBuffer> {
  const rowBytes = tensor.byteLength / (tensor.shape[0] ?? 1);
  const out = device.stream[memory](count * rowBytes, nativeDType[tensor.dtype as DType]);
  const blockRows = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  for (let row = 0; row < count; row += blockRows) {
    const bytes = await readRows(tensor, first + row, Math.min(blockRows, count - row));
    device.stream.write(out, row * rowBytes, bytes);
  }
  return out;
}

/**
 * Rows of a weight in another type, read without mapping the file: what a program that goes through a checkpoint once wants,
 * since mapped pages stay in memory.
 */
export async function loadRows(
  tensor: CheckpointTensor,
  device: Device,
  dtype: WeightDType,
  first: number,
  count: number,
): Promise<Tensor> {
  const elements = await gathered("allocate", device, storedElements(tensor), first, count);
  const scales = tensor.scale && (await gathered("allocate", device, tensor.scale, first, count));
  const shape = tensor.shape.length === 0 ? [] : [count, ...tensor.shape.slice(1)];
  return held(tensor.name, inMemory({ ...tensor, shape }, device, elements, scales).keep(), dtype);
}

/** A weight in the type that it is to be held in, in place of `stored`. */
async function held(name: string, stored: Tensor, dtype: WeightDType | "auto"): Promise<Tensor> {
  if (dtype === stored.dtype) return stored;
  const rounds = dtype !== "auto" && isScaled(dtype);
  const plain = stored.dtype === "float16" || (rounds && isScaled(stored.dtype)) ? "float32" : stored.dtype;
  const wanted = dtype === "auto" || rounds ? plain : dtype;
  const weight = wanted === stored.dtype ? stored : replaced(stored, converted(stored, wanted));
  return rounds ? quantized(name, weight, dtype) : weight;
}

/** The same numbers in another float type, in memory of their own. */
export function converted(stored: Tensor, to: DType): Tensor {
  const { device, shape, size } = stored;
  const out = device.stream.reserve(size * bytesPerElement[to], nativeDType[to]);
  const source = stored.buffer;
  native().convert(device.stream, out, source, size);
  if (source !== stored.memory) source.release();
  return new Tensor(device, out, shape, to);
}

import { PersimmonError } from "../errors.js";
import { type NativeBuffer, native, nativeDType } from "../native.js";
import type { Device } from "./device.js";
import { bfloat16ToFloat32, bytesPerElement, type DType } from "./dtype.js";
import { preview } from "./preview.js";
import { enter, leave } from "./scope.js";

let hostRead: (() => void) | undefined;

/** For recordings: calls `listener` whenever JavaScript reads a tensor, until it is called with undefined. */
export function onHostRead(listener: (() => void) | undefined): void {
  hostRead = listener;
}

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

/**
 * A handle to an array on a device, contiguous, and row-major but for weights made by `toColumnMajor`. Ops return at once
 * with the handle of their result; the values exist when the device's stream has come so far, which `data()` waits for.
 * Tensors are never changed by an op.
 */
export class Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly device: Device;
  /** Whether elements of a column lie side by side in memory (Fortran's order). Values and shape are the same. */
  readonly isColumnMajor: boolean;
  private readonly handle: NativeBuffer;
  private released = false;

  /** For src/tensor and the loaders: wraps native memory of `elementCount(shape)` elements. */
  constructor(
    device: Device,
    handle: NativeBuffer,
    shape: readonly number[],
    dtype: DType,
    isColumnMajor = false,
  ) {
    this.device = device;
    this.handle = handle;
    this.shape = shape;
    this.dtype = dtype;
    this.isColumnMajor = isColumnMajor;
    enter(this);
  }

  /** A tensor with undefined content. */
  static empty(device: Device, shape: readonly number[], dtype: DType = "float32"): Tensor {
    const handle = device.stream.allocate(elementCount(shape) * bytesPerElement[dtype], nativeDType[dtype]);
    return new Tensor(device, handle, shape, dtype);
  }

  /**
   * A tensor with a copy of `values`: Float32Array gives float32, Int32Array gives int32.
   * @param shape default: one axis
   */
  static from(
    device: Device,
    values: Float32Array | Int32Array,
    shape: readonly number[] = [values.length],
  ): Tensor {
    if (!(values instanceof Float32Array || values instanceof Int32Array)) {
      throw new PersimmonError(
        "ARGUMENT_INVALID",
        "Tensor.from takes a Float32Array or an Int32Array; make one with Float32Array.from(values)",
      );
    }
    if (elementCount(shape) !== values.length) {
      throw new PersimmonError(
        "SHAPE_MISMATCH",
        `shape [${shape}] has ${elementCount(shape)} elements, but ${values.length} values were given`,
      );
    }
    const tensor = Tensor.empty(device, shape, values instanceof Int32Array ? "int32" : "float32");
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    device.stream.write(tensor.handle, 0, bytes);
    return tensor;
  }

  /** The values in row-major order, for ops. Throws `TENSOR_RELEASED` when the memory was given back. */
  get buffer(): NativeBuffer {
    return this.isColumnMajor ? this.transposedMemory() : this.memory;
  }

  /** The native memory as it is, for ops that know both orders. Throws as `buffer`. */
  get memory(): NativeBuffer {
    if (this.released) {
      throw new PersimmonError(
        "TENSOR_RELEASED",
        `a tensor of shape [${this.shape}] was used after its scope had ended or it was disposed: call keep() on it inside the scope, or read data() there`,
      );
    }
    return this.handle;
  }

  get size(): number {
    return elementCount(this.shape);
  }

  /** The values, once computed. bfloat16 is widened; int32 values are exact up to 2^24. */
  async data(): Promise<Float32Array> {
    hostRead?.();
    return toFloat32(await this.device.stream.read(this.buffer, 0, this.byteLength), this.dtype);
  }

  /** The values of an int32 tensor, once computed. */
  async integers(): Promise<Int32Array> {
    hostRead?.();
    return new Int32Array(await this.device.stream.read(this.buffer, 0, this.byteLength));
  }

  /** As `data()`, but blocks JavaScript until the stream has come so far. */
  dataSync(): Float32Array {
    hostRead?.();
    return toFloat32(this.device.stream.readSync(this.buffer, 0, this.byteLength), this.dtype);
  }

  /** Rows `start` to `end` (exclusive) of the first axis, over the same memory. */
  rows(start: number, end: number): Tensor {
    const [count, ...rest] = this.shape;
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= count)) {
      throw new PersimmonError(
        "INDEX_OUT_OF_RANGE",
        `rows ${start} to ${end} of a tensor with ${count} rows`,
      );
    }
    const rowBytes = elementCount(rest) * bytesPerElement[this.dtype];
    const handle = this.buffer.view(start * rowBytes, (end - start) * rowBytes, nativeDType[this.dtype]);
    return new Tensor(this.device, handle, [end - start, ...rest], this.dtype);
  }

  /** The same values under another shape with as many elements. */
  reshape(shape: readonly number[]): Tensor {
    if (elementCount(shape) !== this.size) {
      throw new PersimmonError("SHAPE_MISMATCH", `cannot view shape [${this.shape}] as [${shape}]`);
    }
    const handle = this.buffer.view(0, this.byteLength, nativeDType[this.dtype]);
    return new Tensor(this.device, handle, shape, this.dtype);
  }

  /**
   * The same matrix with the elements of a column side by side, as `ops.linear` wants it to skip zeros of its input. It
   * takes as much memory again, which is given back with this tensor's. A weight with infinite or NaN elements stays as it
   * is: there a zero is no longer without effect. Waits for the device.
   * @throws PersimmonError SHAPE_MISMATCH unless it is a float32 or bfloat16 matrix
   */
  toColumnMajor(): Tensor {
    if (this.shape.length !== 2 || (this.dtype !== "float32" && this.dtype !== "bfloat16")) {
      throw new PersimmonError(
        "SHAPE_MISMATCH",
        `toColumnMajor takes a float32 or bfloat16 matrix, got ${this.dtype} [${this.shape.join(", ")}]`,
      );
    }
    if (this.isColumnMajor) return this.view();
    using nonFinite = Tensor.empty(this.device, [1], "int32");
    native().countNonFiniteWeights(this.device.stream, nonFinite.memory, this.memory, this.size);
    if (nonFinite.dataSync()[0] > 0) return this.view();
    return new Tensor(this.device, this.transposedMemory(), this.shape, this.dtype, true);
  }

  /** The elements in the other order, in memory of their own. */
  private transposedMemory(): NativeBuffer {
    const [rows, columns] = this.isColumnMajor ? [this.shape[1], this.shape[0]] : this.shape;
    const out = this.device.stream.allocate(this.byteLength, nativeDType[this.dtype]);
    native().transposeWeight(this.device.stream, out, this.memory, rows, columns);
    return out;
  }

  /** For the runtime: overwrites the values in stream order, as many as the tensor has. */
  write(values: Float32Array | Int32Array): void {
    if (values.length !== this.size || (this.dtype === "int32") !== values instanceof Int32Array) {
      throw new PersimmonError(
        "SHAPE_MISMATCH",
        `cannot write ${values.length} values of a ${values.constructor.name} into a ${this.dtype} tensor of ${this.size}`,
      );
    }
    if (this.isColumnMajor) {
      using rowMajor = Tensor.from(this.device, values, this.shape);
      this.copyFrom(rowMajor);
      return;
    }
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.device.stream.write(this.buffer, 0, bytes);
  }

  /** Another tensor with the same values in memory of its own. */
  copy(): Tensor {
    const copy = Tensor.empty(this.device, this.shape, this.dtype);
    copy.copyFrom(this);
    return copy;
  }

  /** For the runtime: takes over the values of a tensor of the same shape and type, in stream order. */
  copyFrom(other: Tensor): void {
    if (this.isColumnMajor) {
      native().transposeWeight(this.device.stream, this.memory, other.buffer, this.shape[0], this.shape[1]);
      return;
    }
    native().copyBytes(this.device.stream, this.buffer, 0, other.buffer, 0, this.byteLength);
  }

  /** Another handle to the same memory, which lives on when this one is released. */
  view(): Tensor {
    const handle = this.memory.view(0, this.byteLength, nativeDType[this.dtype]);
    return new Tensor(this.device, handle, this.shape, this.dtype, this.isColumnMajor);
  }

  /** Takes the tensor out of its scope: it lives until it is disposed or collected. */
  keep(): this {
    leave(this);
    return this;
  }

  /** Gives the memory back. Called by scopes; disposing twice is harmless. */
  release(): void {
    if (this.released) return;
    this.released = true;
    this.handle.release();
  }

  [Symbol.dispose](): void {
    leave(this);
    this.release();
  }

  /** How a notebook shows it. */
  [Symbol.for("Jupyter.display")](): Promise<Record<string, unknown>> {
    return preview(this);
  }

  /** How Node prints it, also within other objects. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Tensor [${this.shape.join(", ")}] ${this.dtype}${this.released ? ", released" : ""}`;
  }

  private get byteLength(): number {
    return this.size * bytesPerElement[this.dtype];
  }
}

function toFloat32(bytes: ArrayBuffer, dtype: DType): Float32Array {
  switch (dtype) {
    case "float32":
      return new Float32Array(bytes);
    case "bfloat16":
      return bfloat16ToFloat32(new Uint16Array(bytes));
    case "int32":
      return Float32Array.from(new Int32Array(bytes));
    case "float16":
      throw new PersimmonError("DTYPE_UNSUPPORTED", "float16 tensors are converted when they are loaded");
  }
}

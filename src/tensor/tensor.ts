import { PersimmonError } from "../errors.js";
import { type NativeBuffer, native, nativeDType } from "../native.js";
import type { Device } from "./device.js";
import { bytesPerElement, type DType, isScaled, type ScaledDType, toFloat32 } from "./dtype.js";
import { elementCount } from "./element_count.js";
import { expectDType, expectPlain } from "./expect_dtype.js";
import { preview } from "./preview.js";
import {
  arranged,
  INT4_GROUP,
  quantizedTiles,
  releaseScaled,
  type ScaledMemory,
  tilesWithEmptyRows,
} from "./scaled_memory.js";
import { enter, leave } from "./scope.js";

let hostRead: (() => void) | undefined;

/** For recordings: calls `listener` whenever JavaScript reads a tensor, until it is called with undefined. */
export function onHostRead(listener: (() => void) | undefined): void {
  hostRead = listener;
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
  private readonly scaleHandle: NativeBuffer | undefined;
  private released = false;

  /**
   * For src/tensor and the loaders: wraps native memory of `elementCount(shape)` elements. That of int8 and int4 has scales
   * beside it, and lies in tiles, or by inputs where it is column-major; see `fromRows` for what files have.
   */
  constructor(
    device: Device,
    handle: NativeBuffer,
    shape: readonly number[],
    dtype: DType,
    isColumnMajor = false,
    scales?: NativeBuffer,
  ) {
    this.device = device;
    this.handle = handle;
    this.shape = shape;
    this.dtype = dtype;
    this.isColumnMajor = isColumnMajor;
    this.scaleHandle = scales;
    enter(this);
  }

  /** A tensor with undefined content. int8 and int4 come from `toInt8` and `toInt4` only. Throws `DTYPE_UNSUPPORTED`. */
  static empty(device: Device, shape: readonly number[], dtype: DType = "float32"): Tensor {
    expectPlain(dtype);
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

  /**
   * For the loaders: an int8 or int4 matrix in the order of rows (native/cpu/scaled_weights.h), which is copied.
   * @param empty rows of `shape` that `rows` leaves out; they are zero
   */
  static fromRows(
    device: Device,
    dtype: ScaledDType,
    rows: ScaledMemory,
    shape: readonly number[],
    empty?: readonly [first: number, end: number],
  ): Tensor {
    const { elements, scales } =
      empty === undefined
        ? arranged(device, dtype, "rows", rows, "tiles", shape)
        : tilesWithEmptyRows(device, dtype, rows, shape, empty);
    return new Tensor(device, elements, shape, dtype, false, scales);
  }

  /**
   * An int8 or int4 matrix of numbers that need not be in memory all at once; those of int4 have columns that are a multiple
   * of 32. For the loaders.
   * @param rowsAt see `quantizedTiles`; finite
   */
  static quantizedFrom(
    device: Device,
    dtype: ScaledDType,
    shape: readonly number[],
    rowsAt: Parameters<typeof quantizedTiles>[3],
  ): Tensor {
    const { elements, scales } = quantizedTiles(device, dtype, shape, rowsAt);
    return new Tensor(device, elements, shape, dtype, false, scales);
  }

  /**
   * The values in row-major order, for ops; those of an int8 or int4 tensor in float32. Throws `TENSOR_RELEASED` when the memory was
   * given back.
   */
  get buffer(): NativeBuffer {
    if (isScaled(this.dtype)) return this.dequantized(this.dtype);
    return this.isColumnMajor ? this.transposedMemory() : this.memory;
  }

  /** Enqueues what `use` does with `buffer`, and gives that back where it was made for this. */
  private withBuffer<T>(use: (buffer: NativeBuffer) => T): T {
    const { buffer } = this;
    try {
      return use(buffer);
    } finally {
      if (buffer !== this.handle) buffer.release();
    }
  }

  /** The type of what `buffer` holds. */
  private get valueDType(): DType {
    return isScaled(this.dtype) ? "float32" : this.dtype;
  }

  /** The scales of an int8 or int4 tensor. Throws as `buffer`. */
  get scales(): NativeBuffer | undefined {
    return this.memory && this.scaleHandle;
  }

  /** The bytes of the elements and of the scales, row by row, once computed: what a checkpoint stores. */
  async stored(): Promise<{ elements: Uint8Array; scales: Uint8Array | undefined }> {
    hostRead?.();
    const read = async (buffer: NativeBuffer) =>
      new Uint8Array(await this.device.stream.read(buffer, 0, buffer.byteLength));
    if (!isScaled(this.dtype)) return { elements: await read(this.memory), scales: undefined };
    const rows = this.rowsOf(this.dtype);
    const bytes = { elements: await read(rows.elements), scales: await read(rows.scales) };
    releaseScaled(rows);
    return bytes;
  }

  /** The native memory as it is, for ops that know both orders, int8 and int4. Throws as `buffer`. */
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
    const bytes = this.withBuffer((buffer) => this.device.stream.read(buffer, 0, this.valueBytes));
    return toFloat32(await bytes, this.valueDType);
  }

  /** The values of an int32 tensor, once computed. Throws `DTYPE_MISMATCH` for another, of which `data()` gives the values. */
  async integers(): Promise<Int32Array> {
    const { memory } = this;
    expectDType("integers()", this.dtype, "int32");
    hostRead?.();
    return new Int32Array(await this.device.stream.read(memory, 0, this.valueBytes));
  }

  /** As `data()`, but blocks JavaScript until the stream has come so far. */
  dataSync(): Float32Array {
    hostRead?.();
    const bytes = this.withBuffer((buffer) => this.device.stream.readSync(buffer, 0, this.valueBytes));
    return toFloat32(bytes, this.valueDType);
  }

  /** Rows `start` to `end` (exclusive) of the first axis, over the same memory; of an int8 or int4 tensor a float32 copy. */
  rows(start: number, end: number): Tensor {
    const [count, ...rest] = this.shape;
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= count)) {
      throw new PersimmonError(
        "INDEX_OUT_OF_RANGE",
        `rows ${start} to ${end} of a tensor with ${count} rows`,
      );
    }
    const dtype = this.valueDType;
    const rowBytes = elementCount(rest) * bytesPerElement[dtype];
    const handle = this.withBuffer((buffer) =>
      buffer.view(start * rowBytes, (end - start) * rowBytes, nativeDType[dtype]),
    );
    return new Tensor(this.device, handle, [end - start, ...rest], dtype);
  }

  /** The same values under another shape with as many elements; of an int8 or int4 tensor a float32 copy. */
  reshape(shape: readonly number[]): Tensor {
    if (elementCount(shape) !== this.size) {
      throw new PersimmonError("SHAPE_MISMATCH", `cannot view shape [${this.shape}] as [${shape}]`);
    }
    const handle = this.withBuffer((buffer) => buffer.view(0, this.valueBytes, nativeDType[this.valueDType]));
    return new Tensor(this.device, handle, shape, this.valueDType);
  }

  /**
   * The same matrix as int8 with a scale for each row, a quarter of the bytes of float32: for the weights of `ops.linear`
   * and tables of `ops.embedding`. A number is off by half a scale at most, and the scale is the largest of its row / 127.
   * Memory is filled up to whole tiles of 16 rows and 32 columns. Other ops refuse it; `data()`,
   * `copy()`, `rows()` and `reshape()` give the values in float32, made anew at each use. Waits for the device.
   * @param nonFinite for the loaders: what `nonFinite()` has found, so that nothing waits
   * @throws PersimmonError SHAPE_MISMATCH unless it is a float32 or bfloat16 matrix; WEIGHT_NOT_FINITE
   */
  toInt8(nonFinite?: number): Tensor {
    if (this.dtype === "int8") return this.view();
    this.expectFinite("toInt8", "int8", nonFinite);
    return this.quantized("int8");
  }

  /**
   * The same matrix as int4 with a scale for each 32 numbers of a row, 4.5 bits a number, for the weights of `ops.linear`
   * and tables of `ops.embedding`; its columns must be a multiple of 32. The number of largest magnitude becomes -8 times the
   * scale, as in llama.cpp's Q4_0; the others are off by half a scale, or a whole one where they are as large on the other
   * side. Other ops refuse it, as with `toInt8`. Waits for the device.
   * @param nonFinite as for `toInt8`
   * @throws PersimmonError SHAPE_MISMATCH unless it is such a float32 or bfloat16 matrix; WEIGHT_NOT_FINITE
   */
  toInt4(nonFinite?: number): Tensor {
    if (this.dtype === "int4") return this.view();
    this.expectFinite("toInt4", "int4", nonFinite);
    if (this.shape[1] % INT4_GROUP !== 0) {
      throw new PersimmonError(
        "SHAPE_MISMATCH",
        `toInt4 takes a matrix whose columns are a multiple of ${INT4_GROUP}, got [${this.shape.join(", ")}]`,
      );
    }
    return this.quantized("int4");
  }

  private quantized(dtype: ScaledDType): Tensor {
    const rowBytes = this.shape[1] * bytesPerElement[this.dtype];
    return this.withBuffer((buffer) =>
      Tensor.quantizedFrom(this.device, dtype, this.shape, (first, count) =>
        buffer.view(first * rowBytes, count * rowBytes, nativeDType[this.dtype]),
      ),
    );
  }

  /**
   * The same matrix with the elements of a column side by side, as `ops.linear` wants it to skip zeros of its input. It
   * takes as much memory again, which is given back with this tensor's. A weight with infinite or NaN elements stays as it
   * is: there a zero is no longer without effect. Waits for the device.
   * @param nonFinite as for `toInt8`
   * @throws PersimmonError SHAPE_MISMATCH unless it is a float32, bfloat16, int8 or int4 matrix
   */
  toColumnMajor(nonFinite?: number): Tensor {
    if (!isScaled(this.dtype)) this.expectMatrix("toColumnMajor");
    if (this.isColumnMajor) return this.view();
    if ((nonFinite ?? this.nonFiniteSync()) > 0) return this.view();
    if (isScaled(this.dtype)) {
      const rows = this.rowsOf(this.dtype);
      const { elements, scales } = arranged(this.device, this.dtype, "rows", rows, "inputs", this.shape);
      releaseScaled(rows);
      return new Tensor(this.device, elements, this.shape, this.dtype, true, scales);
    }
    return new Tensor(this.device, this.transposedMemory(), this.shape, this.dtype, true);
  }

  private expectMatrix(method: string): void {
    if (this.shape.length === 2 && (this.dtype === "float32" || this.dtype === "bfloat16")) return;
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `${method} takes a float32 or bfloat16 matrix, got ${this.dtype} [${this.shape.join(", ")}]`,
    );
  }

  /** Throws unless it is a matrix of finite float32 or bfloat16 numbers. */
  private expectFinite(method: string, dtype: DType, nonFinite?: number): void {
    this.expectMatrix(method);
    const count = nonFinite ?? this.nonFiniteSync();
    if (count === 0) return;
    throw new PersimmonError(
      "WEIGHT_NOT_FINITE",
      `${count} elements of a weight of shape [${this.shape.join(", ")}] are infinite or NaN, which ${dtype} cannot hold: keep it in float32 or bfloat16`,
    );
  }

  /** For the loaders: how many numbers are infinite or NaN, of int4 how many scales. */
  async nonFinite(): Promise<number> {
    using counter = this.countNonFinite();
    return (await counter.integers())[0];
  }

  private nonFiniteSync(): number {
    using counter = this.countNonFinite();
    return counter.dataSync()[0];
  }

  private countNonFinite(): Tensor {
    // A scale of a group that is not finite would count only beside live inputs; that of a row counts in any case.
    if (this.dtype === "int8") return Tensor.from(this.device, Int32Array.of(0));
    const numbers = this.dtype === "int4" ? this.scaleHandle! : this.memory;
    const count = this.dtype === "int4" ? numbers.byteLength / 2 : this.size;
    const counter = Tensor.empty(this.device, [1], "int32");
    native().countNonFiniteWeights(this.device.stream, counter.memory, numbers, count);
    return counter;
  }

  /** int8 or int4 elements and scales in the order of rows, in memory of their own. Throws as `buffer`. */
  private rowsOf(dtype: ScaledDType): ScaledMemory {
    if (this.shape.length !== 2) {
      throw new PersimmonError(
        "DTYPE_UNSUPPORTED",
        `int8 keys and values of shape [${this.shape.join(", ")}] cannot be read: take those that are stored at the sites layers.N.attn.kRot and layers.N.attn.v`,
      );
    }
    const from = this.isColumnMajor ? "inputs" : "tiles";
    const memory = { elements: this.memory, scales: this.scaleHandle! };
    return arranged(this.device, dtype, from, memory, "rows", this.shape);
  }

  /** The values of an int8 or int4 tensor in float32. */
  private dequantized(dtype: ScaledDType): NativeBuffer {
    const [rows, columns] = this.shape;
    const { stream } = this.device;
    const byRow = this.rowsOf(dtype);
    const out = stream.allocate(this.valueBytes, nativeDType.float32);
    const dequantize = dtype === "int8" ? native().dequantizeRows : native().dequantizeGroups;
    dequantize(stream, out, byRow.elements, byRow.scales, rows, columns);
    releaseScaled(byRow);
    return out;
  }

  /** The elements in the other order, in memory of their own; not of int8 and int4. */
  private transposedMemory(): NativeBuffer {
    const [rows, columns] = this.isColumnMajor ? [this.shape[1], this.shape[0]] : this.shape;
    const out = this.device.stream.allocate(this.size * bytesPerElement[this.dtype], nativeDType[this.dtype]);
    native().transposeWeight(this.device.stream, out, this.memory, rows, columns);
    return out;
  }

  /** For the runtime: overwrites the values in stream order, as many as the tensor has. */
  write(values: Float32Array | Int32Array): void {
    this.expectWritable();
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
    this.device.overwrites++;
  }

  private expectWritable(): void {
    if (!isScaled(this.dtype)) return;
    throw new PersimmonError(
      "DTYPE_UNSUPPORTED",
      `an ${this.dtype} tensor cannot be overwritten: change a copy() of it, which is float32, and put that in its place`,
    );
  }

  /** Another tensor with the same values in memory of its own; that of an int8 or int4 tensor is float32. */
  copy(): Tensor {
    const copy = Tensor.empty(this.device, this.shape, this.valueDType);
    copy.copyFrom(this);
    return copy;
  }

  /**
   * The same values in float32, in memory of its own, for `ops.matmul` and other ops that refuse what weights are stored in: bfloat16
   * and float16 are widened exactly, int8 and int4 multiplied with their scales. A float32 tensor gives a view of itself.
   * @throws PersimmonError DTYPE_UNSUPPORTED for int32
   */
  toFloat32(): Tensor {
    if (this.dtype === "float32") return this.view();
    if (isScaled(this.dtype)) return this.copy();
    if (this.dtype === "int32") {
      throw new PersimmonError(
        "DTYPE_UNSUPPORTED",
        "toFloat32 takes numbers of a float type, int8 or int4, got int32; data() gives them in a Float32Array",
      );
    }
    const out = Tensor.empty(this.device, this.shape);
    this.withBuffer((buffer) => native().convert(this.device.stream, out.handle, buffer, this.size));
    return out;
  }

  /** For the runtime: takes over the values of a tensor of the same shape and type, in stream order. */
  copyFrom(other: Tensor): void {
    this.expectWritable();
    this.device.overwrites++;
    other.withBuffer((values) => {
      if (this.isColumnMajor) {
        native().transposeWeight(this.device.stream, this.memory, values, this.shape[0], this.shape[1]);
      } else {
        native().copyBytes(this.device.stream, this.memory, 0, values, 0, this.valueBytes);
      }
    });
  }

  /**
   * The same tensor on another device, of the same type and order, in memory of its own; on its own device a view. Both
   * streams go on in order. Throws `PLAN_RECORDING` inside a recorded pass.
   */
  to(device: Device): Tensor {
    if (device === this.device) return this.view();
    const moved = (from: NativeBuffer, dtype: DType) => {
      const out = device.stream.reserve(from.byteLength, nativeDType[dtype]);
      native().transfer(device.stream, out, this.device.stream, from);
      return out;
    };
    const elements = moved(this.memory, this.dtype);
    const scales = this.scaleHandle && moved(this.scaleHandle, this.scaleDType);
    return new Tensor(device, elements, this.shape, this.dtype, this.isColumnMajor, scales);
  }

  /** Another handle to the same memory, which lives on when this one is released. */
  view(): Tensor {
    const handle = this.memory.view(0, this.memory.byteLength, nativeDType[this.dtype]);
    const scales = this.scaleHandle?.view(0, this.scaleHandle.byteLength, nativeDType[this.scaleDType]);
    return new Tensor(this.device, handle, this.shape, this.dtype, this.isColumnMajor, scales);
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
    this.scaleHandle?.release();
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

  /** Bytes of the memory that it takes: the elements, and the scales of int8 and int4. */
  get byteLength(): number {
    const elements = isScaled(this.dtype) ? this.handle.byteLength : this.size * bytesPerElement[this.dtype];
    return elements + (this.scaleHandle?.byteLength ?? 0);
  }

  private get scaleDType(): DType {
    return this.dtype === "int4" ? "bfloat16" : "float32";
  }

  /** Bytes of what `buffer` holds. */
  private get valueBytes(): number {
    return this.size * bytesPerElement[this.valueDType];
  }
}

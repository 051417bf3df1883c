import { availableParallelism } from "node:os";
import { PersimmonError } from "../errors.js";
import { type MemoryStatistics, type NativeStream, native, nativeDType } from "../native.js";
import type { GraphCounts, NativeGpu } from "../native_gpu.js";
import { optionChecks } from "../option_checks.js";

/** As in `LoadOptions.matmulPrecision`; the number of each is its place (MatmulPrecision in native/core/thread_pool.h). */
export const matmulPrecisions = ["highest", "medium"] as const;
export type MatmulPrecision = (typeof matmulPrecisions)[number];

/** Where tensors live and ops run: one native stream, of the CPU with its threads or of a GPU. */
export class Device {
  readonly kind: "cpu" | "cuda";
  /** Threads of the CPU that an op is spread over; 1 for a GPU, which one thread gives its work. */
  readonly threads: number;
  readonly matmulPrecision: MatmulPrecision;
  /** For src/tensor only. */
  readonly stream: NativeStream;
  /** How often a tensor was overwritten: what was computed ahead of that has seen the old values. */
  overwrites = 0;

  private constructor(threads: number, matmulPrecision: MatmulPrecision = "highest", gpu?: number) {
    this.kind = gpu === undefined ? "cpu" : "cuda";
    this.threads = threads;
    this.matmulPrecision = matmulPrecision;
    const precision = matmulPrecisions.indexOf(matmulPrecision);
    this.stream = new (native().Stream)(threads, gpu ?? null, precision);
  }

  private static readonly cpus = new Map<string, Device>();
  private static readonly gpus = new Map<string, Device>();

  /**
   * The CPU with a number of threads (default: all that the process may use). The same arguments give the same device.
   * @param matmulPrecision as in `loadModel`; "highest"
   * @throws PersimmonError THREADS_INVALID, OPTION_INVALID
   */
  static cpu(threads: number = availableParallelism(), matmulPrecision: MatmulPrecision = "highest"): Device {
    const invalid = (message: string) => new PersimmonError("THREADS_INVALID", message);
    optionChecks(invalid).whole("threads", threads, 1, 1024);
    checkPrecision(matmulPrecision);
    const key = `${threads} ${matmulPrecision}`;
    return madeOnce(Device.cpus, key, () => new Device(threads, matmulPrecision));
  }

  /**
   * A GPU of NVIDIA's, counted from 0. The same arguments give the same device. Throws `DEVICE_UNAVAILABLE`, with the reason:
   * a build without CUDA, no driver, no such GPU, one older than compute capability 8.0.
   * @param matmulPrecision as in `loadModel`; "highest"
   * @throws PersimmonError DEVICE_UNAVAILABLE, OPTION_INVALID
   */
  static cuda(gpu = 0, matmulPrecision: MatmulPrecision = "highest"): Device {
    const invalid = (message: string) => new PersimmonError("DEVICE_UNAVAILABLE", message);
    optionChecks(invalid).whole("the number of a GPU", gpu, 0, 1023);
    checkPrecision(matmulPrecision);
    return madeOnce(Device.gpus, `${gpu} ${matmulPrecision}`, () => {
      try {
        return new Device(1, matmulPrecision, gpu);
      } catch (error) {
        throw new PersimmonError("DEVICE_UNAVAILABLE", `${(error as Error).message}; use device: "cpu"`);
      }
    });
  }

  /** What CUDA says of a GPU; undefined for the CPU. */
  get gpu(): NativeGpu | undefined {
    return this.stream.gpu() ?? undefined;
  }

  /** Graphs that were made for recorded plans on a GPU, how often they were launched, and what ran and was copied beside them. */
  graphs(): GraphCounts {
    return this.stream.graphs();
  }

  #joinsOps = true;

  /**
   * Whether a GPU does neighbouring ops of a recorded pass in one kernel, where their kernels know how to (true). All values are
   * the same to the bit; `false` is for comparisons, and for passes that are recorded from then on.
   */
  get joinsOps(): boolean {
    return this.#joinsOps;
  }
  set joinsOps(joins: boolean) {
    this.#joinsOps = joins;
    this.stream.setJoinsOps(joins);
  }

  private static readonly groups = new Map<string, readonly Device[]>();

  /**
   * A device for each rank of a split model, with as many threads each. They are kept for good, and the same numbers give the
   * same ones: a stream that were stopped while others wait for it would keep them waiting.
   */
  static cpuRanks(
    ranks: number,
    threads: number,
    matmulPrecision: MatmulPrecision = "highest",
  ): readonly Device[] {
    checkPrecision(matmulPrecision);
    return madeOnce(Device.groups, `${ranks} × ${threads} ${matmulPrecision}`, () =>
      Array.from({ length: ranks }, () => new Device(threads, matmulPrecision)),
    );
  }

  /** Bytes of tensors in use and cached; weights that are mapped from files and KV caches are not among them. */
  memory(): MemoryStatistics {
    return this.stream.statistics();
  }

  /**
   * Bytes of weights that matrix products have read so far, each once for up to 128 rows, and bytes that they left out
   * because they belong to zeros of squared ReLU. What a text costs is the difference of two calls.
   */
  async weightTraffic(): Promise<{ read: number; skipped: number }> {
    const counts = this.stream.allocate(16, nativeDType.int32);
    native().weightTraffic(this.stream, counts);
    const [read, skipped] = new BigInt64Array(await this.stream.read(counts, 0, 16));
    counts.release();
    return { read: Number(read), skipped: Number(skipped) };
  }

  /** How Node prints it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    const { gpu } = this;
    const precision = this.matmulPrecision === "highest" ? "" : `, ${this.matmulPrecision} precision`;
    if (gpu !== undefined) return `Device ${this.kind}, ${gpu.name}${precision}`;
    return `Device ${this.kind}, ${this.threads} ${this.threads === 1 ? "thread" : "threads"}${precision}`;
  }

  /** The instruction set of the kernels in use, such as "avx512-bf16", or "sm_90" of a GPU. */
  get instructionSet(): string {
    const { gpu } = this;
    return gpu === undefined ? native().instructionSet() : `sm_${gpu.major}${gpu.minor}`;
  }
}

function checkPrecision(precision: MatmulPrecision): void {
  const invalid = (message: string) => new PersimmonError("OPTION_INVALID", message);
  optionChecks(invalid).oneOf("matmulPrecision", precision, matmulPrecisions);
}

function madeOnce<K, D>(devices: Map<K, D>, key: K, make: () => D): D {
  const device = devices.get(key) ?? make();
  devices.set(key, device);
  return device;
}

import { availableParallelism } from "node:os";
import { PersimmonError } from "../errors.js";
import { type MemoryStatistics, type NativeStream, native, nativeDType } from "../native.js";
import { optionChecks } from "../option_checks.js";

/** Where tensors live and ops run: one native stream with its threads. */
export class Device {
  readonly kind = "cpu";
  /** Threads that an op is spread over. */
  readonly threads: number;
  /** For src/tensor only. */
  readonly stream: NativeStream;

  private constructor(threads: number) {
    this.threads = threads;
    this.stream = new (native().Stream)(threads);
  }

  private static readonly cpus = new Map<number, Device>();

  /**
   * The CPU with a number of threads (default: all that the process may use). The same number gives the same device.
   * Throws `THREADS_INVALID`.
   */
  static cpu(threads: number = availableParallelism()): Device {
    const invalid = (message: string) => new PersimmonError("THREADS_INVALID", message);
    optionChecks(invalid).whole("threads", threads, 1, 1024);
    let device = Device.cpus.get(threads);
    if (device === undefined) {
      device = new Device(threads);
      Device.cpus.set(threads, device);
    }
    return device;
  }

  private static readonly groups = new Map<string, readonly Device[]>();

  /**
   * A device for each rank of a split model, with as many threads each. They are kept for good, and the same numbers give the
   * same ones: a stream that were stopped while others wait for it would keep them waiting.
   */
  static cpuRanks(ranks: number, threads: number): readonly Device[] {
    const key = `${ranks} × ${threads}`;
    let devices = Device.groups.get(key);
    if (devices === undefined) {
      devices = Array.from({ length: ranks }, () => new Device(threads));
      Device.groups.set(key, devices);
    }
    return devices;
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
    return `Device ${this.kind}, ${this.threads} ${this.threads === 1 ? "thread" : "threads"}`;
  }

  /** The instruction set of the kernels in use, such as "avx512-bf16". */
  get instructionSet(): string {
    return native().instructionSet();
  }
}

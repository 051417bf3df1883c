import { availableParallelism, cpus } from "node:os";
import { PersimmonError } from "../errors.js";
import { native } from "../native.js";
import type { NativeCommunicator } from "../native_parallel.js";
import { optionChecks } from "../option_checks.js";
import { Lock } from "../runtime/lock.js";
import { Device, type MatmulPrecision } from "../tensor/device.js";
import { gpuRanks } from "./gpu_ranks.js";
import { secondsToWait } from "./seconds_to_wait.js";

/** One of the ranks of a split model: where it computes, and how it meets the others. */
export interface Rank {
  readonly number: number;
  readonly ranks: number;
  readonly device: Device;
  readonly communicator: NativeCommunicator;
}

/** How a model is split: over so many ranks of this process, or over the processes that `mpirun` has started. */
export type TensorParallel = number | "mpi";

export interface RankOptions {
  /** Threads of this process, divided among its ranks; default: all that it may use. */
  threads?: number;
  /** As in `loadModel`; "highest". */
  matmulPrecision?: MatmulPrecision;
  /** Whether each rank is a GPU, from the first one on; false. */
  onGpus?: boolean;
}

/**
 * The ranks that this process runs: all of a group, or the one that it is among processes. Groups are kept for good, as their
 * devices are, and shared by models.
 */
export class RankGroup {
  #passes = 0;

  constructor(
    readonly here: readonly Rank[],
    /** Of the whole group. */
    readonly ranks: number,
    /** One pass after the other, of whatever model: the ranks' streams must not have them in different orders. */
    readonly lock = new Lock(),
  ) {}

  private static readonly groups = new Map<string, RankGroup>();

  /** Whether some ranks are other processes, which run this same script. */
  get isOverProcesses(): boolean {
    return this.here.length < this.ranks;
  }

  /** The number of a pass that begins. */
  nextPass(): number {
    return ++this.#passes;
  }

  /** Why its ranks can do nothing any more, since a GPU or NCCL has failed; "" while they can. */
  get over(): string {
    return native().whyCommunicatorIsOver(this.here[0].communicator);
  }

  /**
   * @throws PersimmonError TENSOR_PARALLEL_INVALID, THREADS_INVALID, OPTION_INVALID, MPI_NOT_STARTED, MPI_UNAVAILABLE,
   *   DEVICE_UNAVAILABLE, NCCL_UNAVAILABLE
   */
  static of(split: TensorParallel, options: RankOptions = {}): RankGroup {
    const invalid = (message: string) => new PersimmonError("TENSOR_PARALLEL_INVALID", message);
    if (split !== "mpi" && typeof split !== "number") {
      throw invalid(
        `tensorParallel must be a number of ranks or "mpi", got ${JSON.stringify(split) ?? String(split)}`,
      );
    }
    if (split !== "mpi") optionChecks(invalid).whole("tensorParallel", split, 1, 64);
    const settled = settledOptions(split, options);
    const key = JSON.stringify([split, settled]);
    const known = RankGroup.groups.get(key);
    if (known?.over === "") return known;
    const group = makeGroup(split, settled);
    RankGroup.groups.set(key, group);
    return group;
  }
}

/**
 * Options as they take effect, with the threads of each rank: those that lead to the same devices must lead to the same group,
 * whose lock keeps its passes apart.
 */
function settledOptions(split: TensorParallel, options: RankOptions): Required<RankOptions> {
  const { threads, matmulPrecision = "highest", onGpus = false } = options;
  if (onGpus) return { threads: 1, matmulPrecision, onGpus };
  if (split === "mpi") return { threads: threads ?? threadsOfRank(), matmulPrecision, onGpus };
  const all = threads ?? availableParallelism();
  const invalid = (message: string) => new PersimmonError("THREADS_INVALID", message);
  optionChecks(invalid).whole("threads", all, 1, 1024);
  return { threads: Math.max(1, Math.floor(all / split)), matmulPrecision, onGpus };
}

function makeGroup(
  split: TensorParallel,
  { threads, matmulPrecision, onGpus }: Required<RankOptions>,
): RankGroup {
  if (onGpus) {
    const here = gpuRanks(split, matmulPrecision);
    return new RankGroup(here, here.length, gpuLock);
  }
  return split === "mpi" ? overMpi(threads, matmulPrecision) : inProcess(split, threads, matmulPrecision);
}

/** Groups of GPUs share the streams of those that are in both. */
const gpuLock = new Lock();

function inProcess(ranks: number, threadsOfEach: number, matmulPrecision: MatmulPrecision): RankGroup {
  const devices = Device.cpuRanks(ranks, threadsOfEach, matmulPrecision);
  const communicators = native().localCommunicators(ranks);
  return new RankGroup(
    devices.map((device, number) => ({ number, ranks, device, communicator: communicators[number] })),
    ranks,
  );
}

let processDevice: Device | undefined;

function overMpi(threads: number, matmulPrecision: MatmulPrecision): RankGroup {
  if (process.env.OMPI_COMM_WORLD_SIZE === undefined) {
    throw new PersimmonError(
      "MPI_NOT_STARTED",
      'tensorParallel: "mpi" needs processes that Open MPI has started: `mpirun -np 2 node script.mjs`',
    );
  }
  if (processDevice !== undefined) {
    throw new PersimmonError(
      "THREADS_INVALID",
      `this process is one rank, and computes with ${processDevice.threads} threads and ${processDevice.matmulPrecision} precision: load all its models with the same \`threads\` and \`matmulPrecision\``,
    );
  }
  const device = Device.cpu(threads, matmulPrecision);
  const { communicator, rank, ranks } = native().mpiCommunicator(
    device.stream,
    secondsToWait("PERSIMMON_MPI_TIMEOUT"),
  );
  processDevice = device;
  return new RankGroup([{ number: rank, ranks, device, communicator }], ranks);
}

/** `mpirun` may have bound the process to some of the processors; where it has not, those of a machine share them. */
function threadsOfRank(): number {
  const available = availableParallelism();
  const neighbours = Number(process.env.OMPI_COMM_WORLD_LOCAL_SIZE ?? 1);
  return available < cpus().length ? available : Math.max(1, Math.floor(available / neighbours));
}

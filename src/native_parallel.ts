import type { NativeBuffer, NativeStream } from "./native.js";

/** The place of one rank among the ranks of a split model (native/core/communicator.h). */
export type NativeCommunicator = { readonly [opaque: symbol]: never };

/**
 * What the addon offers for models that are split over ranks. Every rank has to call the same collectives in the same
 * order; a collective is an op of the rank's stream, recorded in plans like others.
 */
export interface ParallelAddon {
  /** A communicator for each rank of a group within this process. The ranks' streams must exist before. */
  localCommunicators(ranks: number): NativeCommunicator[];
  /**
   * This process among those that `mpirun` has started; `stream` is the one that will use it. Throws `MPI_UNAVAILABLE`. A rank
   * that has waited so many seconds for another gives up for good: its reads reject with `OP_FAILED`.
   */
  mpiCommunicator(
    stream: NativeStream,
    timeoutSeconds: number,
  ): { communicator: NativeCommunicator; rank: number; ranks: number };
  /**
   * A communicator for each of these streams, whose GPUs exchange what they have by NCCL. It takes a second or two, which JavaScript
   * waits for. Throws `NCCL_UNAVAILABLE`. Where NCCL or a GPU fails, or a GPU has waited so many seconds for another, all give up
   * for good: reads reject with `OP_FAILED`.
   */
  ncclCommunicators(streams: NativeStream[], timeoutSeconds: number): NativeCommunicator[];
  /** Why its ranks have given up; "" while they have not. */
  whyCommunicatorIsOver(communicator: NativeCommunicator): string;
  /** A pass begins. Ranks must agree on its number and on the checksum. Not recorded, and not part of a group. */
  beginPass(stream: NativeStream, communicator: NativeCommunicator, pass: number, checksum: number): void;
  /**
   * The pass ends, also one that was cancelled; where this is earlier than for other ranks, their collectives do nothing from
   * there on. `isRead` says that errors are told to who reads from this stream; they go to the other ranks in any case.
   */
  endPass(stream: NativeStream, communicator: NativeCommunicator, isRead: boolean): void;
  /** out = the sum of all ranks' x, added in the order of ranks; on GPUs in that of NCCL. */
  allReduce(
    stream: NativeStream,
    out: NativeBuffer,
    x: NativeBuffer,
    count: number,
    communicator: NativeCommunicator,
  ): void;
  /** out [rows, total] = all ranks' x [rows, part of total] side by side. */
  allGather(
    stream: NativeStream,
    out: NativeBuffer,
    x: NativeBuffer,
    rows: number,
    total: number,
    communicator: NativeCommunicator,
  ): void;
  /** out = x of rank `root`, as many bytes. */
  broadcast(
    stream: NativeStream,
    out: NativeBuffer,
    x: NativeBuffer,
    root: number,
    communicator: NativeCommunicator,
  ): void;
  /** out = ids counted from `first`, −1 for those outside of `rows` rows; int32. */
  idsOfPart(
    stream: NativeStream,
    out: NativeBuffer,
    ids: NativeBuffer,
    tokens: number,
    first: number,
    rows: number,
  ): void;
  /** out = x [tokens, width] with zeros in the rows whose id is negative. */
  clearRows(
    stream: NativeStream,
    out: NativeBuffer,
    x: NativeBuffer,
    ids: NativeBuffer,
    tokens: number,
    width: number,
  ): void;
}

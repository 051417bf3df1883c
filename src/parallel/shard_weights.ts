import type { Checkpoint } from "../checkpoint/index.js";
import { checkpointWeights, type WeightDType, type WeightParts } from "../runtime/load_weights.js";
import type { Device } from "../tensor/device.js";
import { partOfWeight } from "../tensor/part.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Rank, RankGroup } from "./rank_group.js";
import { partOf, splitAxis } from "./split.js";

/** The part of a weight that a rank has, in place of `tensor`, which is released where another takes its place. */
export function shardWeight(name: string, tensor: Tensor, rank: number, ranks: number): Tensor {
  const axis = splitAxis(name);
  if (axis === undefined || ranks === 1) return tensor;
  const { first, count } = partOf(tensor.shape[axis], rank, ranks);
  const part = partOfWeight(tensor, axis, first, count).keep();
  tensor.release();
  return part;
}

/**
 * For `checkpointWeights`: what a rank takes of each weight. Rows are taken before a weight is rounded to int8 or int4, since they
 * have scales of their own; columns after it, so that a part of a row has the scale of the whole row.
 */
export function shardWeights(rank: number, ranks: number): WeightParts {
  const along = (axis: 0 | 1) => (name: string, tensor: Tensor) =>
    splitAxis(name) === axis ? shardWeight(name, tensor, rank, ranks) : tensor;
  return { ofStored: along(0), ofHeld: along(1) };
}

/**
 * The weights of each rank of this process, in their order. All load at once: each CPU its own, and for GPUs `loader`, which hands
 * each its part. Where one fails, the others are ended first.
 * @param options as for `checkpointWeights`
 */
export async function shardedWeights(
  checkpoint: Checkpoint,
  { here }: RankGroup,
  loader: Device,
  dtype: WeightDType | "auto",
  options: Omit<Parameters<typeof checkpointWeights>[3], "parts" | "target">,
): Promise<Map<string, Tensor>[]> {
  const loaded = here.map(() => 0);
  const failed = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
  const load = async ({ device, number, ranks }: Rank, index: number) => {
    try {
      return await checkpointWeights(checkpoint, device.kind === "cpu" ? device : loader, dtype, {
        ...options,
        target: device,
        parts: shardWeights(number, ranks),
        signal,
        onProgress: (bytes, total) => {
          if (signal.aborted) return;
          loaded[index] = bytes;
          try {
            options.onProgress?.(Math.min(...loaded), total);
          } catch (error) {
            failed.abort(error); // now, so that no other rank calls it again
            throw error;
          }
        },
      });
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const ranks = await Promise.allSettled(here.map(load));
  // The first cause, not the interruptions that it brought about in the others.
  if (failed.signal.aborted) throw failed.signal.reason;
  return ranks.flatMap((rank) => (rank.status === "fulfilled" ? [rank.value] : []));
}

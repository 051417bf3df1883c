import type { PersimmonConfig } from "../model/config.js";
import { Persimmon, type PersimmonParts } from "../model/persimmon.js";
import type { WeightSource } from "../runtime/build_modules.js";
import { KvCache, type KvShape, kvBytesPerToken, kvCapacity } from "../runtime/kv_cache.js";
import type { Runtime } from "../runtime/runtime.js";
import { FollowerRuntime, ParallelRuntime } from "./parallel_runtime.js";
import type { RankGroup } from "./rank_group.js";
import { splitModules } from "./split_modules.js";

export interface SplitModel {
  /** Those of the first rank of this process. */
  modules: PersimmonParts;
  /** Runs the model that was made of these modules. */
  runtime: (model: Persimmon) => Runtime;
}

/** Keys and values of the first rank's heads; pages are copied on the other ranks at the same time. */
class LeadingKvCache extends KvCache {
  readonly #others: readonly KvCache[];

  constructor(others: readonly KvCache[], ...own: ConstructorParameters<typeof KvCache>) {
    super(...own);
    this.#others = others;
  }

  override copyContent(page: number, copy: number): void {
    super.copyContent(page, copy);
    for (const other of this.#others) other.copyContent(page, copy);
  }
}

/**
 * A model split over the ranks of a group.
 * @param weights the weights of each rank of this process, in their order
 * @param kv what the cache of a whole model has, and the capacity in positions that it is to have
 */
export function splitModel(
  config: PersimmonConfig,
  group: RankGroup,
  weights: readonly WeightSource[],
  kv: { shape: KvShape; capacity: number },
  maxLength: number,
  rope: Parameters<typeof splitModules>[4],
): SplitModel {
  const [modules, ...others] = group.here.map((rank, index) =>
    splitModules(config, rank, weights[index], maxLength, rope),
  );
  const shape = { ...kv.shape, heads: kv.shape.heads / group.ranks };
  const runtime = (model: Persimmon) => {
    const [first, ...rest] = group.here;
    const devices = group.here.map(({ device }) => device);
    const capacity = kvCapacity(devices, kvBytesPerToken(shape), kv.capacity);
    const caches = rest.map(({ device }) => new KvCache(device, shape, capacity));
    const leading = new LeadingKvCache(caches, first.device, shape, capacity);
    return new ParallelRuntime(group, model, leading, maxLength, (rank, interventions) => {
      const index = rest.indexOf(rank);
      const parts = new Persimmon(config, others[index]);
      return new FollowerRuntime(rank, parts, caches[index], maxLength, interventions);
    });
  };
  return { modules, runtime };
}

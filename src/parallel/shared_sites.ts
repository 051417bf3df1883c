import type { Observer } from "../nn/tap.js";
import type { Pass } from "../runtime/pass.js";
import type { Tensor } from "../tensor/tensor.js";
import { allGather, broadcast, ownPart } from "./collectives.js";
import type { Rank } from "./rank_group.js";
import { isSplitSite } from "./split.js";

/**
 * Looks into a pass of one rank as if the model were whole: split values are put together for who looks at them, and what edits
 * and hooks make of a value is that of rank 0, of which each rank takes its part. It costs the ranks a meeting or two, only at
 * sites that are looked at.
 */
export class SharedSites implements Observer {
  readonly #inner: Pass;
  readonly #rank: Rank;
  readonly #looks: boolean;

  /** @param looks whether `inner` sees and changes the values; where it does not, another rank of the process does */
  constructor(inner: Pass, rank: Rank, looks: boolean) {
    this.#inner = inner;
    this.#rank = rank;
    this.#looks = looks;
  }

  wants(site: string): boolean {
    return this.#inner.wants(site);
  }

  changes(site: string): boolean {
    return this.#inner.changes(site);
  }

  visit(site: string, value: Tensor): Tensor {
    const isSplit = isSplitSite(site);
    const whole = isSplit ? allGather(value, value.shape[1] * this.#rank.ranks, this.#rank) : value;
    if (!this.#looks) this.#inner.follow(site);
    const seen = this.#looks ? this.#inner.visit(site, whole) : whole;
    if (!this.changes(site)) return value;
    const shared = broadcast(seen, this.#rank);
    return isSplit ? ownPart(shared, this.#rank) : shared;
  }
}

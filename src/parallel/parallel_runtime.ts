import { PersimmonError } from "../errors.js";
import type { Persimmon } from "../model/persimmon.js";
import { native } from "../native.js";
import type { Observer } from "../nn/tap.js";
import type { BatchEntry } from "../runtime/batch.js";
import { fingerprint, sameFingerprint } from "../runtime/fingerprint.js";
import type { Interventions } from "../runtime/interventions.js";
import type { KvCache } from "../runtime/kv_cache.js";
import type { Pass } from "../runtime/pass.js";
import type { PassRows } from "../runtime/rows.js";
import { type ForwardOptions, Runtime } from "../runtime/runtime.js";
import { Tensor } from "../tensor/tensor.js";
import type { Rank, RankGroup } from "./rank_group.js";
import { SharedSites } from "./shared_sites.js";

/** A pass as all ranks know it. */
interface PassKey {
  number: number;
  checksum: number;
}

/** Runs the passes of one rank. */
abstract class RankRuntime extends Runtime {
  constructor(
    readonly rank: Rank,
    model: Persimmon,
    kv: KvCache,
    maxLength: number,
    interventions?: Interventions,
  ) {
    super(model, rank.device, kv, maxLength, interventions);
  }

  /** Every rank would have to choose, and nothing would tell that they agree: tokens come from the first rank by JavaScript. */
  override get choosesTokens(): boolean {
    return false;
  }

  protected begin({ number, checksum }: PassKey): void {
    native().beginPass(this.device.stream, this.rank.communicator, number, checksum);
  }

  protected end(isRead: boolean): void {
    native().endPass(this.device.stream, this.rank.communicator, isRead);
  }
}

/** A rank beside the first of the process: nobody looks into it or reads from it. */
export class FollowerRuntime extends RankRuntime {
  /** Enqueues a whole pass before it returns: none of its ops needs JavaScript. Resolves when what it holds is given back. */
  async follow(
    key: PassKey,
    batch: readonly BatchEntry[],
    rows: PassRows,
    options: ForwardOptions,
  ): Promise<void> {
    this.begin(key);
    let logits: Promise<Tensor>;
    try {
      logits = this.run(batch, rows, options);
    } finally {
      this.end(false);
    }
    (await logits).release();
  }

  protected override observing(pass: Pass): Observer {
    return new SharedSites(pass, this.rank, false);
  }

  protected override async report(): Promise<void> {}
}

/**
 * Runs a model that is split over ranks, from the first rank of this process: the one whose modules, values and results
 * everybody sees. The other ranks' ops are enqueued first, the whole pass of each, so that none ever waits for JavaScript: where a hook
 * runs on this rank, they wait on their own threads for the value that it makes.
 */
export class ParallelRuntime extends RankRuntime {
  readonly #group: RankGroup;
  readonly #followers: readonly FollowerRuntime[];
  readonly #modules: readonly unknown[];

  constructor(
    group: RankGroup,
    model: Persimmon,
    kv: KvCache,
    maxLength: number,
    follower: (rank: Rank, interventions: Interventions) => FollowerRuntime,
  ) {
    const [first, ...others] = group.here;
    super(first, model, kv, maxLength);
    this.#group = group;
    this.#followers = others.map((rank) => follower(rank, this.interventions));
    this.#modules = fingerprint(model);
  }

  protected override async run(
    batch: readonly BatchEntry[],
    rows: PassRows,
    options: ForwardOptions,
  ): Promise<Tensor> {
    this.#expectOwnModules();
    this.#expectRanks();
    const leave = await this.#group.lock.enter();
    try {
      const key = { number: this.#group.nextPass(), checksum: checksumOf(batch, rows) };
      const others = Promise.allSettled(
        this.#followers.map((follower) => follower.follow(key, batch, rows, options)),
      );
      const [own] = await Promise.allSettled([this.#lead(key, batch, rows, options)]);
      return result(own, await others);
    } catch (error) {
      // Some ranks may have recorded a plan that others have not, and collectives of a graph need one on all GPUs.
      for (const { plans } of [this, ...this.#followers]) plans.clear();
      // What the end of the pass finds beside is not for who reads next.
      using mark = Tensor.from(this.device, Int32Array.of(0));
      await mark.integers().catch(() => {});
      throw error;
    } finally {
      leave();
    }
  }

  /** This rank's own pass. Where it fails, its early end takes the others out of theirs: they do not wait for it. */
  async #lead(
    key: PassKey,
    batch: readonly BatchEntry[],
    rows: PassRows,
    options: ForwardOptions,
  ): Promise<Tensor> {
    this.begin(key);
    try {
      return await super.run(batch, rows, options);
    } finally {
      this.end(true);
    }
  }

  protected override observing(pass: Pass): Observer {
    return new SharedSites(pass, this.rank, true);
  }

  /** The streams are of others, too, who are not to find the errors of a group that can do nothing. */
  #expectRanks(): void {
    const { over } = this.#group;
    if (over !== "") throw new PersimmonError("OP_FAILED", over);
  }

  /** The other ranks of this process have modules that no script can reach. */
  #expectOwnModules(): void {
    if (this.#followers.length === 0 || sameFingerprint(this.#modules, fingerprint(this.model))) return;
    throw new PersimmonError(
      "MODULE_SPLIT",
      'a module of a model that is split over ranks of one process cannot be swapped or given other weights: edits, hooks and watches work; or load it with tensorParallel: 1, or as "mpi", where each process swaps its own',
    );
  }
}

/** The logits, or what went wrong: on this rank, unless that was but a consequence of what went wrong on another. */
function result(own: PromiseSettledResult<Tensor>, others: readonly PromiseSettledResult<void>[]): Tensor {
  const failure = others.find((other) => other.status === "rejected");
  if (own.status === "fulfilled") {
    if (failure === undefined) return own.value;
    own.value.release();
    throw failure.reason;
  }
  const isConsequence = codeOf(own.reason) === "OP_FAILED" && codeOf(failure?.reason) !== "OP_FAILED";
  throw isConsequence ? (failure?.reason ?? own.reason) : own.reason;
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/** FNV-1a over what a pass works on, by which processes notice that they have chosen different tokens. */
function checksumOf(batch: readonly BatchEntry[], rows: PassRows): number {
  let hash = 0x811c9dc5;
  const add = (value: number) => {
    hash = Math.imul(hash ^ value, 0x01000193);
  };
  for (const { ids } of batch) for (const id of ids) add(id);
  for (const position of rows.positions) add(position);
  return hash >>> 0;
}

import { PersimmonError } from "../errors.js";
import type { Persimmon } from "../model/persimmon.js";
import { native } from "../native.js";
import type { Observer } from "../nn/tap.js";
import type { PassConditions } from "../runtime/ahead_pass.js";
import type { BatchEntry } from "../runtime/batch.js";
import { fingerprint, sameFingerprint } from "../runtime/fingerprint.js";
import type { Interventions } from "../runtime/interventions.js";
import type { KvCache } from "../runtime/kv_cache.js";
import type { Pass } from "../runtime/pass.js";
import type { PassRows } from "../runtime/rows.js";
import { type ForwardOptions, Runtime } from "../runtime/runtime.js";
import type { LaunchedAhead, TokenRows } from "../runtime/token_passes.js";
import type { TokenChoice, TokenPlan } from "../runtime/token_plan.js";
import { Tensor } from "../tensor/tensor.js";
import { sharedChoice } from "./collectives.js";
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

  protected override runTokens(
    pass: TokenRows,
    choice: TokenChoice,
    conditions: PassConditions,
  ): Promise<TokenPlan> {
    return super.runTokens(pass, sharedChoice(choice, this.rank), conditions);
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
  /** Of the last pass that chose tokens. */
  #tokenPlan: TokenPlan | undefined;

  /** Resolves when what it holds is given back. */
  async follow(
    key: PassKey,
    batch: readonly BatchEntry[],
    rows: PassRows,
    options: ForwardOptions,
  ): Promise<void> {
    const logits = await this.#enqueue(key, () => this.run(batch, rows, options));
    logits.release();
  }

  async followTokens(key: PassKey, pass: TokenRows, choice: TokenChoice): Promise<void> {
    this.#tokenPlan = await this.#enqueue(key, async () =>
      this.runTokens(pass, choice, this.tokenConditions(choice)),
    );
  }

  /** The pass behind the last one of `followTokens`, or behind the last one of these. */
  async followAhead(key: PassKey, pass: TokenRows): Promise<void> {
    const plan = this.#tokenPlan as TokenPlan;
    await this.#enqueue(key, () => this.runAhead(plan, pass));
  }

  /** A whole pass before it returns: none of its ops needs JavaScript. */
  #enqueue<T>(key: PassKey, run: () => Promise<T>): Promise<T> {
    this.begin(key);
    try {
      return run();
    } finally {
      this.end(false);
    }
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

  override dispose(): void {
    super.dispose();
    for (const follower of this.#followers) follower.dispose();
  }

  override get ranks(): number {
    return this.#group.ranks;
  }

  protected override async enter(signal?: AbortSignal): Promise<() => void> {
    const leave = await super.enter(signal);
    const leaveGroup = await this.#group.lock.enter();
    return () => {
      leaveGroup();
      leave();
    };
  }

  protected override run(
    batch: readonly BatchEntry[],
    rows: PassRows,
    options: ForwardOptions,
  ): Promise<Tensor> {
    return this.#together(
      checksumOf(batch, rows),
      (follower, key) => follower.follow(key, batch, rows, options),
      () => super.run(batch, rows, options),
    );
  }

  protected override runTokens(
    pass: TokenRows,
    choice: TokenChoice,
    conditions: PassConditions,
  ): Promise<TokenPlan> {
    return this.#together(
      checksumOf(pass.batch, pass.rows),
      (follower, key) => follower.followTokens(key, pass, choice),
      () => super.runTokens(pass, choice, conditions),
    );
  }

  /**
   * Where all ranks are here, the first one leaves a pass that is cancelled, and takes the others out of it. A process that left
   * before the others were asked to would look like one that fails, so there the pass is run to its end.
   */
  protected override async runAhead(plan: TokenPlan, pass: TokenRows): Promise<LaunchedAhead> {
    const launched = await this.#together(
      checksumOf(pass.batch, pass.rows),
      (follower, key) => follower.followAhead(key, pass),
      () => super.runAhead(plan, pass),
    );
    return this.#group.isOverProcesses ? { ...launched, cancel: () => {} } : launched;
  }

  /** One pass of all ranks, when no other is being enqueued. */
  async #together<T>(
    checksum: number,
    follow: (follower: FollowerRuntime, key: PassKey) => Promise<void>,
    lead: () => Promise<T>,
  ): Promise<T> {
    this.#expectOwnModules();
    this.#expectRanks();
    try {
      const key = { number: this.#group.nextPass(), checksum };
      const others = Promise.allSettled(this.#followers.map((follower) => follow(follower, key)));
      const [own] = await Promise.allSettled([this.#lead(key, lead)]);
      return result(own, await others);
    } catch (error) {
      // Some ranks may have recorded a plan that others have not, and collectives of a graph need one on all GPUs.
      for (const { plans } of [this, ...this.#followers]) plans.clear();
      // What the end of the pass finds beside is not for who reads next.
      using mark = Tensor.from(this.device, Int32Array.of(0));
      await mark.integers().catch(() => {});
      throw error;
    }
  }

  /** This rank's own pass. Where it fails, its early end takes the others out of theirs: they do not wait for it. */
  async #lead<T>(key: PassKey, run: () => Promise<T>): Promise<T> {
    this.begin(key);
    try {
      return await run();
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

/** What came of this rank's pass, or what went wrong: on this rank, unless that was but a consequence of what went wrong on another. */
function result<T>(own: PromiseSettledResult<T>, others: readonly PromiseSettledResult<void>[]): T {
  const failure = others.find((other) => other.status === "rejected");
  if (own.status === "fulfilled") {
    if (failure === undefined) return own.value;
    if (own.value instanceof Tensor) own.value.release();
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

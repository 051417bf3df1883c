import type { Device } from "../tensor/device.js";
import * as ops from "../tensor/ops/index.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { DecodePlan } from "./decode_plan.js";
import type { KvCache, KvSequence } from "./kv_cache.js";
import type { PlanKey } from "./plan.js";
import type { PassRows } from "./rows.js";

/** How a pass chooses a token for each of its rows. */
export interface TokenChoice {
  /** The same where `choose` enqueues the same ops. */
  readonly signature: string;
  /**
   * @param logits [rows, vocabulary]
   * @param random [rows, 4] int32: the generator of each row, see `ops.sampleSeeded`
   * @returns [rows] each
   */
  choose(logits: Tensor, random: Tensor): { ids: Tensor; logprobs: Tensor | undefined };
}

/** What a pass has chosen. */
export interface ChosenTokens {
  ids: Int32Array;
  /** Of a choice that computes them. */
  logprobs: Float32Array | undefined;
}

/** The generator of a row's random numbers. */
export interface RowRandom {
  /** Its state: four words as bits. */
  readonly words: Int32Array;
  /** How many numbers it has made. */
  readonly drawn: number;
}

/** A sequence that goes on by one token. */
export interface TokenRow {
  sequence: KvSequence;
  id: number;
  random: RowRandom;
}

/** A choice that is on its way from the device. */
export interface PendingTokens {
  read(): Promise<ChosenTokens>;
}

/**
 * A decode plan that goes on to choose the next tokens, and leaves the inputs of the next pass where that reads them: run again,
 * it makes the token after. Ids and log-probabilities are the only thing that comes back, in one copy.
 */
export class TokenPlan extends DecodePlan {
  readonly #device: Device;
  readonly #choice: TokenChoice;
  readonly #random: Tensor;
  readonly #results: Tensor;
  #hasLogprobs = false;

  constructor(
    device: Device,
    kv: KvCache,
    key: PlanKey,
    batchSize: number,
    maxLength: number,
    choice: TokenChoice,
  ) {
    super(device, kv, key, batchSize, maxLength);
    this.#device = device;
    this.#choice = choice;
    this.#random = this.hold(Tensor.empty(device, [batchSize, 4], "int32"));
    this.#results = this.hold(Tensor.from(device, new Int32Array(2 * batchSize), [2, batchSize]));
  }

  /** Whether a pass can be followed by the next one at once: there is no JavaScript in it, and nothing to be checked after it. */
  get canFollowItself(): boolean {
    return (
      !this.isOnce && this.breaks.every((pause) => pause === undefined) && this.taken.checks.length === 0
    );
  }

  setRandom(rows: readonly TokenRow[]): void {
    this.#random.write(Int32Array.from(rows.flatMap(({ random }) => [...random.words])));
  }

  /**
   * Runs a pass that nobody may ask for in the end; `canFollowItself` must be true.
   * @returns what leaves out those of its ops that have not begun
   */
  async replayAhead(rows: PassRows): Promise<() => void> {
    const { stream } = this.#device;
    const group = stream.startGroup();
    // Without JavaScript between its segments all of it is enqueued at once.
    const replayed = this.replay(rows);
    stream.endGroup();
    await replayed;
    return () => stream.cancel(group);
  }

  override keepResult(pass: () => Tensor): void {
    scope(() => {
      const { ids, logprobs } = this.#choice.choose(pass(), this.#random);
      ops.advance({ ...this.inputs, random: this.#random, results: this.#results }, ids, logprobs);
      this.#hasLogprobs = logprobs !== undefined;
    });
  }

  /** Takes what the last run has chosen, while the device goes on. */
  pending(): PendingTokens {
    const { stream } = this.#device;
    const [, rows] = this.#results.shape;
    const hasLogprobs = this.#hasLogprobs;
    const bytes = (hasLogprobs ? 2 : 1) * rows * 4;
    const reading = stream.startRead(this.#results.buffer, 0, bytes);
    return {
      async read() {
        const results = await stream.finishRead(reading);
        const logprobs = hasLogprobs ? new Float32Array(results, rows * 4, rows) : undefined;
        return { ids: new Int32Array(results, 0, rows), logprobs };
      },
    };
  }
}

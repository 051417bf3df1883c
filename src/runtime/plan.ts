import { type NativePlan, native } from "../native.js";
import type { Device } from "../tensor/device.js";
import type { Tensor } from "../tensor/tensor.js";
import type { PassRows } from "./rows.js";

/** JavaScript between two segments. */
export interface Break {
  /** Where it is, such as `layers.12.mlp: TopKMlp`. */
  label: string;
  /** Why it is there, and how to do without. */
  reason: string;
  run(rows: PassRows): Promise<void> | void;
}

/** A copy of a value that is read after each run. */
export interface Watched {
  site: string;
  value: Tensor;
}

/** What a plan is good for. */
export interface PlanKey {
  fingerprint: readonly unknown[];
  /** Batch size, interventions, options. */
  signature: string;
  /** The interventions that it was recorded with; none ever comes again once it was removed. */
  interventions: readonly number[];
}

/**
 * A forward pass as it was recorded: segments of native ops with JavaScript between them. Running it again calls no
 * module. Its tensors keep their addresses: inputs are written into them before a run, and results read from them after it.
 */
export class ForwardPlan {
  readonly native: NativePlan;
  /** Ops of each segment. */
  readonly opCounts: number[] = [];
  /** The break after each segment but the last; undefined for a cut that runs nothing. */
  readonly breaks: (Break | undefined)[] = [];
  readonly #held = new Set<Tensor>();
  #isRecording = false;

  constructor(
    device: Device,
    readonly key: PlanKey,
    /** Such as `decode, batch of 1`. */
    readonly title: string,
  ) {
    this.native = new (native().Plan)(device.stream);
  }

  get isRecording(): boolean {
    return this.#isRecording;
  }

  begin(): void {
    this.native.begin();
    this.#isRecording = true;
  }

  end(): void {
    this.#isRecording = false;
    this.opCounts.push(this.native.end());
  }

  /** Keeps a tensor as long as the plan lives. */
  hold<T extends Tensor>(tensor: T): T {
    this.#held.add(tensor.keep());
    return tensor;
  }

  /** Gives a tensor back that is held and that no segment uses. */
  drop(tensor: Tensor): void {
    if (this.#held.delete(tensor)) tensor.release();
  }

  async replay(rows: PassRows): Promise<void> {
    for (const segment of this.opCounts.keys()) {
      this.native.replay(segment);
      const pause = this.breaks[segment]?.run(rows);
      if (pause !== undefined) await pause;
    }
  }

  release(): void {
    for (const tensor of this.#held) tensor.release();
    this.#held.clear();
    this.native.release();
  }
}

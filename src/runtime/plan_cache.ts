import { sameFingerprint } from "./fingerprint.js";
import type { ForwardPlan, PlanKey } from "./plan.js";

/** Enough to go back and forth between a few swaps; each plan of the 8B holds about 1 MB beside its logits. */
const mostPlans = 8;

/** The plans that were used last. */
export class PlanCache<P extends ForwardPlan = ForwardPlan> {
  /** The latest is the last. */
  readonly #plans: P[] = [];

  get size(): number {
    return this.#plans.length;
  }

  /** The plan that was used last. */
  get latest(): P | undefined {
    return this.#plans.at(-1);
  }

  find(key: PlanKey): P | undefined {
    const index = this.#plans.findLastIndex(
      (plan) =>
        plan.key.signature === key.signature && sameFingerprint(plan.key.fingerprint, key.fingerprint),
    );
    if (index < 0) return undefined;
    const [plan] = this.#plans.splice(index, 1);
    this.#plans.push(plan);
    return plan;
  }

  add(plan: P): void {
    this.#plans.push(plan);
    while (this.#plans.length > mostPlans) this.#plans.shift()?.release();
  }

  /** Forgets the plans with an intervention that is gone: nothing can ask for them again. */
  dropUnless(isThere: (intervention: number) => boolean): void {
    for (let index = this.#plans.length - 1; index >= 0; index--) {
      if (this.#plans[index].key.interventions.every(isThere)) continue;
      this.#plans.splice(index, 1)[0].release();
    }
  }

  clear(): void {
    for (const plan of this.#plans.splice(0)) plan.release();
  }
}

import { sameFingerprint } from "./fingerprint.js";
import type { KvSequence } from "./kv_cache.js";
import type { PlanKey } from "./plan.js";
import type { PendingTokens, RowRandom, TokenPlan, TokenRow } from "./token_plan.js";

/** What the values of a pass depend on besides its rows. */
export interface PassConditions extends PlanKey {
  /** Changes where a tensor is overwritten: a weight, or the strength of an edit. */
  overwrites: number;
}

/**
 * A pass that was launched before anybody asked for it: with the tokens that the pass before it has chosen on the device, and under
 * the conditions of that moment. It is the next pass if both turn out to be what is asked for; else it never was: it has
 * written nothing but the places behind the last position of each sequence.
 */
export class AheadPass {
  /** The pass that it follows. */
  readonly after: PendingTokens;
  readonly plan: TokenPlan;
  readonly pending: PendingTokens;
  /** The tokens that it began with, known when those of the pass before have been read. */
  ids: Int32Array | undefined;
  readonly #rows: readonly { sequence: KvSequence; version: number; random: RowRandom; drawn: number }[];
  readonly #conditions: PassConditions;
  readonly #cancel: () => void;

  /**
   * @param rows those of the pass before, whose tokens and numbers are not drawn yet
   * @param cancel leaves out what of the pass has not begun
   */
  constructor(
    plan: TokenPlan,
    after: PendingTokens,
    rows: readonly TokenRow[],
    conditions: PassConditions,
    cancel: () => void,
  ) {
    this.plan = plan;
    this.after = after;
    this.#rows = rows.map(({ sequence, random }) => ({
      sequence,
      version: sequence.version,
      random,
      drawn: random.drawn + 1,
    }));
    this.#conditions = conditions;
    this.#cancel = cancel;
    this.pending = plan.pending();
  }

  /** Where each of the rows stands in this pass; undefined unless it is the one that they would have now. */
  placesOf(rows: readonly TokenRow[], now: PassConditions): number[] | undefined {
    const then = this.#conditions;
    if (now.signature !== then.signature || now.overwrites !== then.overwrites) return undefined;
    if (!sameFingerprint(now.fingerprint, then.fingerprint)) return undefined;
    const places = rows.map(({ sequence, id, random }) =>
      this.#rows.findIndex(
        (row, place) =>
          row.sequence === sequence &&
          row.version === sequence.version &&
          row.random === random &&
          row.drawn === random.drawn &&
          this.ids?.[place] === id,
      ),
    );
    return places.includes(-1) ? undefined : places;
  }

  /** Gives back the pages that rows which have left were given to write into. */
  leaveTo(rows: readonly TokenRow[]): void {
    for (const { sequence } of this.#rows) {
      if (rows.every((row) => row.sequence !== sequence)) sequence.trim();
    }
  }

  /** Ends it where nobody asks for it: gives back the pages that it was given to write into. */
  drop(): void {
    this.#cancel();
    for (const { sequence } of this.#rows) sequence.trim();
  }
}

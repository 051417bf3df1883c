import { PersimmonError } from "../errors.js";
import type { At } from "../nn/runner.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Site } from "./sites.js";

export type Phase = "prefill" | "decode";

/** The rows of the pass that runs: what an intervention may need to know of them on the device. */
export interface Rows {
  /** [rows] int32: position of each row in its text */
  positions: Tensor;
}

/** A value as watchers and hooks see it: row-major, one row for each token of the pass. */
export class SiteValue {
  constructor(
    readonly data: Float32Array,
    /** [rows, …]; for q, k, v, qRot and kRot [rows, heads, headDim], for a pattern [rows, heads, keys] */
    readonly shape: readonly number[],
  ) {}

  /** One row, as a view: writing into it inside a hook changes the pass. Negative numbers count from the end. */
  row(index: number): Float32Array {
    const [rows] = this.shape;
    const at = index < 0 ? rows + index : index;
    if (!Number.isInteger(at) || at < 0 || at >= rows) {
      throw new PersimmonError("INDEX_OUT_OF_RANGE", `row ${index} of a value with ${rows} rows`);
    }
    const width = this.data.length / rows;
    return this.data.subarray(at * width, (at + 1) * width);
  }
}

/** JavaScript in the middle of a pass: changes `x.data` in place, or returns as many numbers in its stead. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing is the common one
export type HookFunction = (x: SiteValue, at: At) => Float32Array | void;

/** Called after a pass with a copy of the value. */
export type WatchFunction = (x: SiteValue, at: At) => void;

export type Intervention = {
  readonly sites: readonly Site[];
  /** Only in this phase; undefined for both. */
  readonly phase: Phase | undefined;
  /** What it does at a site now, by which two of a kind are told apart; for records of what was in force. */
  describe?(site: Site): string;
  /** Gives its memory back; called once, when it was removed and no pass uses it any more. */
  release?(): void;
} & (
  | { readonly kind: "edit"; apply(site: Site, x: Tensor, rows: Rows): Tensor }
  | { readonly kind: "hook"; readonly run: HookFunction }
  | { readonly kind: "watch"; readonly see: WatchFunction }
  | { readonly kind: "count"; count(site: Site, x: Tensor): void; readonly counted: (rows: number) => void }
);

/** What is done to a model's values from outside, in the order in which it was asked for. */
export class Interventions {
  readonly #all = new Map<number, Intervention>();
  readonly #tables = new Map<Phase, Map<string, Intervention[]>>();
  #last = 0;
  #passes = 0;
  #strengths = 0;
  /** Removed, but a pass runs that may have begun with them. */
  readonly #leaving: Intervention[] = [];

  /** Adds one; the function that is returned removes it, and does nothing when it is called again. */
  add(intervention: Intervention): () => void {
    const id = ++this.#last;
    this.#all.set(id, intervention);
    this.#tables.clear();
    return () => {
      if (!this.#all.delete(id)) return;
      this.#tables.clear();
      this.#leaving.push(intervention);
      this.#releaseUnused();
    };
  }

  /** A pass begins: what is removed from now on is not released before the function that is returned is called. */
  enterPass(): () => void {
    this.#passes++;
    return () => {
      this.#passes--;
      this.#releaseUnused();
    };
  }

  #releaseUnused(): void {
    if (this.#passes > 0) return;
    for (const intervention of this.#leaving.splice(0)) intervention.release?.();
  }

  get size(): number {
    return this.#all.size;
  }

  /** All that are in force, in the order in which they were added. */
  list(): Intervention[] {
    return [...this.#all.values()];
  }

  /** What is done at each site in a phase. */
  at(phase: Phase): ReadonlyMap<string, readonly Intervention[]> {
    let table = this.#tables.get(phase);
    if (table === undefined) {
      table = new Map();
      for (const intervention of this.#of(phase).map(([, value]) => value)) {
        for (const site of intervention.sites) {
          const list = table.get(site);
          if (list) list.push(intervention);
          else table.set(site, [intervention]);
        }
      }
      this.#tables.set(phase, table);
    }
    return table;
  }

  /** Whether anyone looks at the values of a phase: a hook, a watch or a counter. */
  observes(phase: Phase): boolean {
    return this.#of(phase).some(([, { kind }]) => kind !== "edit");
  }

  /** Whether one is still in force. */
  has(id: number): boolean {
    return this.#all.has(id);
  }

  /** The set that is in force in a phase, each by a number that no other ever has. */
  ids(phase: Phase): number[] {
    return this.#of(phase).map(([id]) => id);
  }

  /** The strength of an edit in force is another one: what was computed before is not valid any more. */
  strengthChanged(): void {
    this.#strengths++;
  }

  /** Names what changes values in a phase; undefined where a hook does, which may do another thing each time. */
  changes(phase: Phase): string | undefined {
    const all = this.#of(phase);
    if (all.some(([, { kind }]) => kind === "hook")) return undefined;
    const edits = all.filter(([, { kind }]) => kind === "edit").map(([id]) => id);
    return edits.length === 0 ? "" : `${edits.join()}:${this.#strengths}`;
  }

  #of(phase: Phase): [number, Intervention][] {
    return [...this.#all].filter(
      ([, intervention]) => intervention.phase === undefined || intervention.phase === phase,
    );
  }
}

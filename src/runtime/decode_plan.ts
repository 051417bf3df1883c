import type { Step } from "../model/step.js";
import type { Device } from "../tensor/device.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { type BatchEntry, pageTable } from "./batch.js";
import type { Rows } from "./interventions.js";
import type { KvCache } from "./kv_cache.js";
import type { Check } from "./pass.js";
import { ForwardPlan, type PlanKey, type Watched } from "./plan.js";
import type { PassRows } from "./rows.js";

/** Keys that an attention pattern is computed over grow in steps of this: a plan serves so many tokens. */
const patternKeys = 256;

/**
 * A plan for passes of one token a sequence. Ids, positions and page table are read from memory, so it serves every step;
 * only where a pattern is looked at, whose size grows with the text, a new one is recorded every 256 tokens.
 */
export class DecodePlan extends ForwardPlan {
  /** What the last run has taken out of the pass. */
  taken: { readonly watched: readonly Watched[]; readonly checks: readonly Check[] } = {
    watched: [],
    checks: [],
  };
  logits: Tensor | undefined;
  /** It holds for the pass that recorded it only. */
  isOnce = false;
  readonly #kv: KvCache;
  protected readonly inputs: { ids: Tensor; positions: Tensor; sequences: Tensor; pageTable: Tensor };
  readonly #pagesPerSequence: number;
  /** What the page table holds on the device. */
  #pages: Int32Array = new Int32Array();
  /** Keys of the patterns; undefined where there are none. */
  #keys: number | undefined;

  constructor(device: Device, kv: KvCache, key: PlanKey, batchSize: number, maxLength: number) {
    super(device, key, `decode, batch of ${batchSize}`);
    this.#kv = kv;
    this.#pagesPerSequence = Math.ceil(maxLength / kv.pageTokens);
    const integers = (shape: number[]) => this.hold(Tensor.empty(device, shape, "int32"));
    this.inputs = {
      ids: integers([batchSize]),
      positions: integers([batchSize]),
      sequences: integers([batchSize]),
      pageTable: integers([batchSize, this.#pagesPerSequence]),
    };
    this.inputs.sequences.write(Int32Array.from({ length: batchSize }, (_, index) => index));
  }

  /** Whether the plan reaches as far as this pass does. */
  suits(rows: PassRows): boolean {
    return (
      this.#keys === undefined || (rows.longest <= this.#keys && rows.longest > this.#keys - patternKeys)
    );
  }

  setInputs(batch: readonly BatchEntry[], rows: PassRows): void {
    this.inputs.ids.write(Int32Array.from(batch, ({ ids }) => ids[0]));
    this.inputs.positions.write(Int32Array.from(rows.positions));
    this.setPages(batch);
  }

  /** Only writes a page table that has changed: a sequence takes a page every 32 tokens. */
  setPages(batch: readonly BatchEntry[]): void {
    const pages = pageTable(batch, this.#pagesPerSequence);
    if (pages.length === this.#pages.length && pages.every((page, index) => page === this.#pages[index])) {
      return;
    }
    this.inputs.pageTable.write(pages);
    this.#pages = pages;
  }

  /** Runs a pass while the plan is recorded, and keeps what comes of it. */
  keepResult(pass: () => Tensor): void {
    this.logits = this.hold(scope(pass));
  }

  get deviceRows(): { rows: Rows; logitRows: Rows } {
    const rows = { positions: this.inputs.positions };
    return { rows, logitRows: rows };
  }

  /** What the modules get while the plan is recorded. */
  step(rows: PassRows): Step {
    const keys = Math.ceil(rows.longest / patternKeys) * patternKeys;
    const uses = () => {
      this.#keys = keys;
      return keys;
    };
    const { ids, positions, sequences, pageTable } = this.inputs;
    return {
      ids,
      logitRows: undefined,
      cache: (layer) => ({
        ...this.#kv.layers[layer],
        positions,
        sequences,
        pageTable,
        get longest() {
          return uses();
        },
      }),
    };
  }

  /** The logits that the last run computed, in memory of their own. */
  result(): Tensor {
    return (this.logits as Tensor).copy();
  }
}

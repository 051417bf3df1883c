import { PersimmonError } from "../errors.js";
import type { KvSequence } from "../runtime/kv_cache.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Site } from "../runtime/sites.js";
import * as ops from "../tensor/ops/index.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** What one forward pass left behind, on the device until it is disposed of. */
export class Observed implements Disposable {
  constructor(
    /** [1, vocabulary] or, with `logits: "all"`, [tokens, vocabulary] */
    readonly logits: Tensor,
    /** Position in the text of the first row. */
    readonly start: number,
    readonly values: ReadonlyMap<Site, Tensor>,
  ) {}

  /** The value at a site, [tokens, …]. Throws `SITE_MISSING`. */
  at(site: Site): Tensor {
    const value = this.values.get(site);
    if (value !== undefined) return value;
    throw new PersimmonError(
      "SITE_MISSING",
      `the forward pass did not come by ${site}: a swapped module has to mark the value with nn.tap("${site.split(".").at(-1)}", value)`,
    );
  }

  /** Rows of the value at a site, by position in the text: [positions, width]. The caller releases it. */
  rows(site: Site, positions: readonly number[]): Tensor {
    const value = this.at(site);
    return pickRows(
      value,
      positions.map((position) => position - this.start),
    );
  }

  [Symbol.dispose](): void {
    this.logits.release();
    for (const value of this.values.values()) value.release();
  }
}

/**
 * Runs the tokens that a sequence goes on with, once, and keeps the values at the sites on the device.
 * @throws PersimmonError INTERRUPTED where `signal` is aborted before the pass has ended
 */
export async function observe(
  runtime: Runtime,
  sequence: KvSequence,
  ids: readonly number[],
  sites: readonly Site[],
  options: { logits?: "last" | "all"; signal?: AbortSignal } = {},
): Promise<Observed> {
  const { logits = "last", signal } = options;
  const start = sequence.length;
  const wanted = new Set<string>(sites);
  const values = new Map<Site, Tensor>();
  const observer = {
    wants: (site: string) => wanted.has(site),
    see: (site: string, value: Tensor) => values.set(site as Site, value.view().keep()),
  };
  try {
    return new Observed(
      await runtime.forward([{ sequence, ids, logits }], { observer, signal }),
      start,
      values,
    );
  } catch (error) {
    for (const value of values.values()) value.release();
    throw error;
  }
}

/** Rows of a tensor as a tensor of their own, [rows, width]; the caller releases it. */
export function pickRows(value: Tensor, rows: readonly number[]): Tensor {
  return scope(() => {
    const flat = value.reshape([value.shape[0], value.size / value.shape[0]]);
    return ops.embedding(flat, Tensor.from(value.device, Int32Array.from(rows)));
  });
}

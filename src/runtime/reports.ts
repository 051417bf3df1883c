import { PersimmonError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Intervention, SiteValue } from "./interventions.js";
import { atSite, type PassRows } from "./rows.js";

/** Throws `ACTIVATION_NOT_FINITE` for the first site that holds a NaN or an infinite number. */
export async function reportChecks(checks: readonly { site: string; count: Tensor }[]): Promise<void> {
  for (const { site, count } of checks) {
    const [found] = await count.integers();
    if (found === 0) continue;
    throw new PersimmonError(
      "ACTIVATION_NOT_FINITE",
      `${found} values at ${site} are NaN or infinite after the edits and hooks there (model.checkFinite is on)`,
    );
  }
}

/**
 * Calls the watchers with copies of what the pass computed.
 * @throws PersimmonError WATCH_FAILED when one throws
 */
export async function reportWatched(
  watched: readonly { site: string; value: Tensor }[],
  rows: PassRows,
  interventions: ReadonlyMap<string, readonly Intervention[]>,
): Promise<void> {
  if (watched.length === 0) return;
  const values = await Promise.all(watched.map(({ value }) => value.data()));
  for (const [index, { site, value }] of watched.entries()) {
    const { data, shape } = trimmed(values[index], value.shape, site, rows.longest);
    for (const intervention of interventions.get(site) ?? []) {
      if (intervention.kind !== "watch") continue;
      let result: unknown;
      try {
        result = intervention.see(new SiteValue(data.slice(), shape), atSite(site, rows));
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        throw new PersimmonError("WATCH_FAILED", `the watcher of ${site} threw: ${message}`, { cause });
      }
      if (result instanceof Promise) {
        result.catch(() => {});
        throw new PersimmonError(
          "WATCH_FAILED",
          `the watcher of ${site} returned a promise: a watcher is done when it returns; keep x.data and go on with it later`,
        );
      }
    }
  }
}

/** A plan computes patterns over more keys than there are yet; those are cut off. */
export function trimmed(
  data: Float32Array,
  shape: readonly number[],
  site: string,
  longest: number,
): { data: Float32Array; shape: readonly number[] } {
  const keys = shape[shape.length - 1];
  if (!site.endsWith(".pattern") || keys === longest) return { data, shape };
  const rows = data.length / keys;
  const cut = new Float32Array(rows * longest);
  for (let row = 0; row < rows; row++) {
    cut.set(data.subarray(row * keys, row * keys + longest), row * longest);
  }
  return { data: cut, shape: [...shape.slice(0, -1), longest] };
}

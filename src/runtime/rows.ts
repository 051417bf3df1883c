import type { At } from "../nn/runner.js";
import type { BatchEntry } from "./batch.js";
import type { Phase } from "./interventions.js";

/** The rows of one pass, as JavaScript knows them. */
export interface PassRows {
  phase: Phase;
  step: number;
  positions: readonly number[];
  batch: readonly number[];
  /** The rows whose logits are wanted. */
  logitRows: readonly number[];
  /** The longest sequence of the batch, with the tokens of this pass. */
  longest: number;
}

/** The rows of a flat batch: the tokens of all entries behind one another. `starts` are the lengths before the pass. */
export function rowsOf(
  batch: readonly BatchEntry[],
  starts: readonly number[],
  phase: Phase,
  step: number,
): PassRows {
  const positions: number[] = [];
  const sequences: number[] = [];
  const logitRows: number[] = [];
  for (const [index, entry] of batch.entries()) {
    for (let offset = 0; offset < entry.ids.length; offset++) {
      if (entry.logits === "all" || offset === entry.ids.length - 1) logitRows.push(positions.length);
      positions.push(starts[index] + offset);
      sequences.push(index);
    }
  }
  const longest = Math.max(...batch.map((entry) => entry.sequence.length));
  return { phase, step, positions, batch: sequences, logitRows, longest };
}

/** What a hook, a watcher or a HostModule is told of the rows at a site. */
export function atSite(site: string, rows: PassRows): At {
  const layer = /^layers\.(\d+)\./.exec(site)?.[1];
  const isLogits = site === "logits" || site.startsWith("lmHead");
  const pick = (values: readonly number[]) => (isLogits ? rows.logitRows.map((row) => values[row]) : values);
  return {
    site,
    layer: layer === undefined ? undefined : Number(layer),
    phase: rows.phase,
    step: rows.step,
    positions: pick(rows.positions),
    batch: pick(rows.batch),
  };
}

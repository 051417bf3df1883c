import type { Step } from "../model/step.js";
import type { Device } from "../tensor/device.js";
import { Tensor } from "../tensor/tensor.js";
import { type BatchEntry, pageTable } from "./batch.js";
import type { Rows } from "./interventions.js";
import type { KvCache } from "./kv_cache.js";
import type { PassRows } from "./rows.js";

/** The inputs of one pass, as tensors that live as long as the scope that is open. */
export function eagerStep(
  device: Device,
  kv: KvCache,
  batch: readonly BatchEntry[],
  rows: PassRows,
): { step: Step; device: { rows: Rows; logitRows: Rows } } {
  const integers = (values: readonly number[] | Int32Array) => Tensor.from(device, Int32Array.from(values));
  const pagesPerSequence = Math.max(...batch.map((entry) => entry.sequence.pages.length));
  const positions = integers(rows.positions);
  const shared = {
    positions,
    sequences: integers(rows.batch),
    pageTable: integers(pageTable(batch, pagesPerSequence)).reshape([batch.length, pagesPerSequence]),
    longest: rows.longest,
  };
  const all = rows.logitRows.length === rows.positions.length;
  const step: Step = {
    ids: integers(batch.flatMap((entry) => [...entry.ids])),
    logitRows: all ? undefined : integers(rows.logitRows),
    cache: (layer) => ({ ...kv.layers[layer], ...shared }),
  };
  const logitPositions = all ? positions : integers(rows.logitRows.map((row) => rows.positions[row]));
  return { step, device: { rows: { positions }, logitRows: { positions: logitPositions } } };
}

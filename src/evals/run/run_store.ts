import type { ExecutionLine, Sample, TimingLine } from "./samples.js";
import type { RunSummary } from "./summary.js";

/** Rows that are kept in the order in which they come. */
export interface Rows<Row> {
  readonly rows: readonly Row[];
  append(...rows: readonly Row[]): void;
}

/** Where a run is kept: a `RunFolder`, or memory. */
export interface RunStore extends Disposable {
  readonly samples: Rows<Sample>;
  readonly executions: Rows<ExecutionLine>;
  readonly timing: Rows<TimingLine>;
  /** Waits until the disk has all rows. */
  sync(): void;
  writeSummary(summary: RunSummary): void;
}

class MemoryRows<Row> implements Rows<Row> {
  readonly rows: Row[] = [];

  append(...rows: readonly Row[]): void {
    this.rows.push(...rows);
  }
}

/** A run without a folder. */
export class MemoryRun implements RunStore {
  readonly samples = new MemoryRows<Sample>();
  readonly executions = new MemoryRows<ExecutionLine>();
  readonly timing = new MemoryRows<TimingLine>();

  sync(): void {}

  writeSummary(): void {}

  [Symbol.dispose](): void {}
}

import { EvalResult } from "./eval_result.js";
import type { PreparedRun } from "./prepare.js";
import type { ExecutionLine, Sample, TimingLine } from "./samples.js";
import { scoreSamples } from "./score.js";
import { summarize } from "./summary.js";

/** The rows of a run. */
export interface RunRows {
  samples: readonly Sample[];
  executions: readonly ExecutionLine[];
  timing: readonly TimingLine[];
}

/** Scores a run and adds it up. @param folder undefined for one in memory */
export function resultOf(
  { task, items, manifest, fingerprint }: Pick<PreparedRun, "task" | "items" | "manifest" | "fingerprint">,
  { samples, executions, timing }: RunRows,
  folder: string | undefined,
): EvalResult {
  const scored = scoreSamples(task, items, samples, executions);
  const sandboxes = executions.map(({ sandbox }) => sandbox);
  const summary = summarize(task, items, manifest, fingerprint, scored, timing, sandboxes);
  return new EvalResult({ manifest, summary, samples: scored, folder });
}

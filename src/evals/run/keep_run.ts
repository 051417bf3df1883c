import { PersimmonError } from "../../errors.js";
import { Sandbox } from "../sandbox/index.js";
import type { EvalItem } from "../task.js";
import type { EvalResult } from "./eval_result.js";
import { executePrograms } from "./execute_programs.js";
import type { CheckedQuestions } from "./options.js";
import { type PreparedRun, selected } from "./prepare.js";
import { Report } from "./report.js";
import { resultOf } from "./result_of.js";
import { RunFolder } from "./run_folder.js";
import { MemoryRun, type RunStore } from "./run_store.js";
import { type ExecutionLine, type Sample, sampleKey } from "./samples.js";
import type { FinishedBatch, Keep } from "./shard_run.js";

/** What of a run is needed to judge and keep what a model says, wherever it is. */
export type KeptRun = Pick<PreparedRun, "task" | "manifest" | "fingerprint" | "origin" | "items">;

/** The sandbox of a run whose answers are programs. Throws `SANDBOX_UNAVAILABLE`. */
export async function sandboxFor({
  task,
  method,
  execute,
  sandbox,
}: CheckedQuestions): Promise<Sandbox | undefined> {
  return task.program !== undefined && method === "generate" && execute ? Sandbox.open(sandbox) : undefined;
}

export function openStore({ folder }: CheckedQuestions, { manifest, origin }: KeptRun): RunStore {
  return folder === undefined ? new MemoryRun() : new RunFolder(folder, manifest, origin);
}

/**
 * Has what is missing made, keeps and judges it. A sample is in the file as soon as it is made, and a process that is killed
 * then loses none; the disk has it, for when the power fails, at the end of its batch (a wait of 4 ms, which each answer
 * would have had to make by itself).
 * @param make makes the samples of `items` but those of the keys in `done`: each goes to `keep` at once, and what was made together
 *   is given afterwards
 * @param note stands in the progress bar behind the accuracy so far
 */
export async function work(
  options: CheckedQuestions,
  run: KeptRun,
  store: RunStore,
  sandbox: Sandbox | undefined,
  signal: AbortSignal,
  make: (items: readonly EvalItem[], done: ReadonlySet<string>, keep: Keep) => AsyncIterable<FinishedBatch>,
  note: () => string = () => "",
): Promise<void> {
  const items = selected(run.items, options);
  const byId = new Map(run.items.map((item) => [item.id, item]));
  const judge = async (samples: readonly Sample[]) => {
    if (sandbox === undefined) return;
    const write = (line: ExecutionLine) => store.executions.append(line);
    await uninterrupted(
      executePrograms(run.task, byId, samples, store.executions.rows, sandbox, signal, write),
    );
  };
  await judge(store.samples.rows);
  store.sync();
  const done = new Set(store.samples.rows.map(sampleKey));
  const report = new Report(options, run, store, items, done, note);
  const keep: Keep = ({ samples }) => store.samples.append(...samples);
  try {
    for await (const finished of make(items, done, keep)) {
      store.timing.append({
        samples: finished.samples.length,
        ms: Math.round(finished.ms),
        prompt_tokens: finished.promptTokens,
        generated_tokens: finished.generatedTokens,
      });
      await judge(finished.samples);
      store.sync();
      report.add(finished.samples);
    }
  } finally {
    report.close();
  }
}

/** An interrupt ends the run with what there is; that is no error of it. */
async function uninterrupted(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof PersimmonError && error.code === "INTERRUPTED")) throw error;
  }
}

/** Adds up what is there and writes the summary. */
export function finish(run: KeptRun, store: RunStore, folder: string | undefined): EvalResult {
  const { samples, executions, timing } = store;
  const rows = { samples: samples.rows, executions: executions.rows, timing: timing.rows };
  const result = resultOf(run, rows, folder);
  store.writeSummary(result.summary);
  return result;
}

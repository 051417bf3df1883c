import { checkOptionNames, PersimmonError } from "../../errors.js";
import { interruptSignal } from "../../host.js";
import { readItems } from "../data/read_items.js";
import { Sandbox, type SandboxOptions } from "../sandbox/index.js";
import type { EvalItem, EvalTask } from "../task.js";
import { findTask } from "../tasks/index.js";
import type { EvalResult } from "./eval_result.js";
import { executePrograms } from "./execute_programs.js";
import { resultOf } from "./result_of.js";
import { RunFolder, readRun, type StoredRun } from "./run_folder.js";
import type { ExecutionLine } from "./samples.js";

/** What `scoreRun` takes. */
export interface ScoreRunOptions<Item extends EvalItem = EvalItem> {
  /** The task, for one that is not built in. */
  task?: EvalTask<Item>;
  /** Where the questions are; default: where the run had them from. */
  data?: string | readonly Item[];
  /** Whether programs without a verdict are run; true. "again" runs all of them. */
  execute?: boolean | "again";
  /** How: see `Sandbox.open`. */
  sandbox?: SandboxOptions;
  signal?: AbortSignal;
}

/**
 * Scores a run anew, without the model: with the rules that the task has today, and with programs run that were not run yet.
 * summary.json is written again; samples.jsonl stays.
 * @param folder of a run that is not being worked on
 * @throws PersimmonError RUN_MISSING, RUN_CORRUPT, RUN_LOCKED, RUN_WRITE_FAILED; TASK_UNKNOWN; RUN_MISMATCH when the data is not
 *   that of the run; SANDBOX_UNAVAILABLE; INTERRUPTED
 */
export async function scoreRun<Item extends EvalItem = EvalItem>(
  folder: string,
  options: ScoreRunOptions<Item> = {},
): Promise<EvalResult> {
  checkOptionNames("scoreRun", options, ["task", "data", "execute", "sandbox", "signal"]);
  const { execute = true } = options;
  if (typeof execute !== "boolean" && execute !== "again") {
    throw new PersimmonError(
      "EVAL_OPTIONS_INVALID",
      `scoreRun: execute must be true, false or "again", got ${JSON.stringify(execute)}`,
    );
  }
  const signal = interruptSignal(options.signal);
  const before = readRun(folder);
  const { manifest, origin } = before;
  const questions = await questionsOf(before, options, signal);
  const { task, items } = questions;
  const hasPrograms = task.program !== undefined && manifest.method === "generate";
  const sandbox = hasPrograms && execute !== false ? await Sandbox.open(options.sandbox) : undefined;
  using store = new RunFolder(folder, manifest, origin);
  // Read again under the lock: nobody writes any more.
  const run = readRun(folder);
  if (sandbox !== undefined) {
    const known = execute === "again" ? [] : run.executions;
    const byId = new Map(items.map((item) => [item.id, item]));
    const write = (line: ExecutionLine) => store.executions.append(line);
    await executePrograms(task, byId, run.samples, known, sandbox, signal, write);
  }
  const rows = { ...run, executions: store.executions.rows };
  const result = resultOf({ ...run, ...questions }, rows, folder);
  store.writeSummary(result.summary);
  return result;
}

/** Reads a run as it is, without writing or running anything. Throws as `scoreRun` does. */
export async function loadRun<Item extends EvalItem = EvalItem>(
  folder: string,
  options: Pick<ScoreRunOptions<Item>, "task" | "data"> = {},
): Promise<EvalResult> {
  checkOptionNames("loadRun", options, ["task", "data"]);
  const run = readRun(folder);
  const questions = await questionsOf(run, options, interruptSignal());
  return resultOf({ ...run, ...questions }, run, folder);
}

/** The task and the items of a run. Other items than the run had would give another score under its name. */
async function questionsOf<Item extends EvalItem>(
  { folder, manifest, origin }: StoredRun,
  options: Pick<ScoreRunOptions<Item>, "task" | "data">,
  signal: AbortSignal,
): Promise<{ task: EvalTask; items: readonly EvalItem[] }> {
  const task = (options.task as EvalTask | undefined) ?? findTask(manifest.task);
  if (task.name !== manifest.task) {
    throw new PersimmonError(
      "RUN_MISMATCH",
      `${folder} is a run of ${manifest.task}, the task that was given is ${task.name}`,
    );
  }
  const isList = origin.data === "items";
  if (isList && options.data === undefined && task.items === undefined) {
    throw new PersimmonError(
      "DATA_MISSING",
      `the items of the run in ${folder} came from a list: give the same list as \`data\``,
    );
  }
  const data = await readItems(task, options.data ?? (isList ? undefined : origin.data), {
    split: origin.split,
    ...(origin.subset !== null && { subset: origin.subset }),
    signal,
  });
  if (data.sha256 !== manifest.data.sha256) {
    throw new PersimmonError(
      "RUN_MISMATCH",
      `the questions in ${data.source} have the SHA-256 ${data.sha256}, those of the run in ${folder} had ${manifest.data.sha256}: give the data that it was made with`,
    );
  }
  return { task, items: data.items };
}

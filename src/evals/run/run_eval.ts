import { interruptSignal } from "../../host.js";
import type { EvalItem } from "../task.js";
import type { EvalResult } from "./eval_result.js";
import { finish, openStore, sandboxFor, work } from "./keep_run.js";
import { checkRunOptions, type RunEvalOptions } from "./options.js";
import { prepareRun } from "./prepare.js";
import { makeSamples } from "./shard_run.js";

/**
 * Runs an evaluation the way Adept's release did: the model writes answers (or, with `method: "likelihood"`, finds given ones
 * more or less probable), and they are read and scored.
 *
 * With a `folder` every item is written as soon as it is finished, while others of its batch still run: after a crash, a
 * `kill -9` or an interrupt the same call goes on where it was, and the file comes out the same. Interrupted, it returns what
 * there is, as "partial k/n". Items are asked in the order of the SHA-256 of their ids: a part is a fair sample.
 *
 * ```ts
 * await runEval({ model: await loadModel(), task: "arc-easy", data: "demo" });
 * ```
 *
 * The model is used as it is, with the edits and hooks in force. In a block with `using edit = model.edit(…)` the run must be
 * awaited inside: `return runEval(…)` without `await` gives the edit back before the first question.
 * @throws PersimmonError EVAL_OPTIONS_INVALID, OPTION_UNKNOWN, TASK_UNKNOWN; what reading the data throws (`readItems`);
 *   PROMPT_TOO_LONG; SANDBOX_UNAVAILABLE before anything is generated; RUN_MISMATCH, RUN_LOCKED, RUN_CORRUPT,
 *   RUN_FOLDER_INVALID, RUN_WRITE_FAILED; INTERRUPTED before the first item
 */
export async function runEval<Item extends EvalItem = EvalItem>(
  options: RunEvalOptions<Item>,
): Promise<EvalResult> {
  const checked = checkRunOptions(options);
  const signal = interruptSignal(checked.signal);
  const run = await prepareRun(checked, signal);
  const sandbox = await sandboxFor(checked);
  using store = openStore(checked, run);
  await work(checked, run, store, sandbox, signal, (items, done, keep) =>
    makeSamples(run, items, done, signal, keep),
  );
  return finish(run, store, checked.folder);
}

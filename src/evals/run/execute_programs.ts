import { sha256Of } from "../../sha256.js";
import type { Sandbox } from "../sandbox/index.js";
import type { EvalItem, EvalTask } from "../task.js";
import { type ExecutionLine, isGenerated, type Sample, sampleKey } from "./samples.js";

/**
 * Runs the programs that answers make, several at a time, and hands out each verdict as it is there.
 * @param known verdicts that need not be found again: of the same program
 */
export async function executePrograms(
  task: EvalTask,
  items: ReadonlyMap<string, EvalItem>,
  samples: readonly Sample[],
  known: readonly ExecutionLine[],
  sandbox: Sandbox,
  signal: AbortSignal,
  onEnd: (line: ExecutionLine) => void,
): Promise<void> {
  const { program } = task;
  if (program === undefined) return;
  const done = new Set(known.map(keyOf));
  const wanted = samples.flatMap((sample) => {
    const item = items.get(sample.id);
    if (item === undefined || !isGenerated(sample)) return [];
    const text = program.call(task, sample.text, item);
    const sha256 = sha256Of(text);
    const key = keyOf({ task_id: sample.id, sample: sample.sample, program_sha256: sha256 });
    return done.has(key) ? [] : [{ sample, text }];
  });
  await sandbox.runAll(
    wanted.map(({ text }) => text),
    {
      signal,
      onResult: ({ status, detail, ms, sha256, sandbox: kind }, index) => {
        const { id, sample } = wanted[index].sample;
        onEnd({ task_id: id, sample, status, detail, ms, program_sha256: sha256, sandbox: kind });
      },
    },
  );
}

function keyOf(line: Pick<ExecutionLine, "task_id" | "sample" | "program_sha256">): string {
  return `${line.program_sha256}:${sampleKey({ id: line.task_id, sample: line.sample })}`;
}

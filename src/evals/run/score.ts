import { PersimmonError } from "../../errors.js";
import type { EvalItem, EvalTask } from "../task.js";
import { type ExecutionLine, type GeneratedSample, isGenerated, type Sample, sampleKey } from "./samples.js";

/** A sample with its verdict. */
export interface ScoredSample {
  id: string;
  sample: number;
  /** null: nothing could be read. Of a likelihood: the index of the ending. */
  answer: string | null;
  gold: string;
  /** null: its program was not run yet. */
  correct: boolean | null;
  /** By the more forgiving reading; of a likelihood, by the sum for each byte (acc_norm). Undefined where there is none. */
  lenient?: boolean;
  unparsed: boolean;
  finish?: GeneratedSample["finish"];
  /** How its program ended. */
  status?: string;
  detail?: string;
  text?: string;
  /** What results are told apart by, where the data says it: the kind, else the subject. */
  kind?: string;
  /** Text that was put to the model. */
  prompt?: string;
}

/** What can be said of an answer without running it. */
export function readAnswer(
  task: EvalTask,
  item: EvalItem,
  text: string,
): Pick<GeneratedSample, "answer" | "gold" | "correct"> {
  const answer = task.extract(text, item);
  const gold = task.gold(item);
  if (task.program !== undefined) return { answer, gold, correct: null };
  return { answer, gold, correct: isRight(task, item, answer) };
}

function isRight(task: EvalTask, item: EvalItem, answer: string | null): boolean {
  if (answer === null) return false;
  return task.isCorrect === undefined ? answer === task.gold(item) : task.isCorrect(answer, item);
}

/** Scores samples anew with the task's rules of today: neither what the run thought of them nor the model is needed. */
export function scoreSamples(
  task: EvalTask,
  items: readonly EvalItem[],
  samples: readonly Sample[],
  executions: readonly ExecutionLine[],
): ScoredSample[] {
  const byId = new Map(items.map((item) => [item.id, item]));
  // The last one counts: it may have been run again.
  const ends = new Map(
    executions.map((line) => [sampleKey({ id: line.task_id, sample: line.sample }), line]),
  );
  return samples.map((sample) => {
    const item = byId.get(sample.id);
    if (item === undefined) {
      throw new PersimmonError(
        "RUN_MISMATCH",
        `the run has a sample of "${sample.id}", which is not among the ${items.length} items of the data: give the data that it was made with`,
      );
    }
    return scoreSample(task, item, sample, ends.get(sampleKey(sample)));
  });
}

function scoreSample(
  task: EvalTask,
  item: EvalItem,
  sample: Sample,
  execution: ExecutionLine | undefined,
): ScoredSample {
  const kind = item.kind ?? item.subject;
  const common = {
    id: sample.id,
    sample: sample.sample,
    ...(kind !== undefined && { kind }),
    ...(sample.prompt !== undefined && { prompt: sample.prompt }),
  };
  if (!isGenerated(sample)) {
    const { answer, gold, correct, correct_norm: lenient } = sample;
    return { ...common, answer: String(answer), gold: String(gold), correct, lenient, unparsed: false };
  }
  const { text, finish } = sample;
  const { answer, gold, correct } = readAnswer(task, item, text);
  const forgiving = task.extractLeniently && isRight(task, item, task.extractLeniently(text, item));
  return {
    ...common,
    answer,
    gold,
    correct:
      task.program === undefined ? correct : execution === undefined ? null : execution.status === "passed",
    ...(forgiving !== undefined && { lenient: forgiving }),
    unparsed: answer === null,
    finish,
    text,
    ...(execution && { status: execution.status, detail: execution.detail }),
  };
}

import { PersimmonError } from "../../errors.js";
import type { EvalTask } from "../task.js";
import { hellaswag } from "./hellaswag.js";
import { humaneval } from "./humaneval.js";
import { arcChallenge, arcEasy, mmlu } from "./multiple_choice.js";
import { triviaqa } from "./triviaqa.js";
import { winogrande } from "./winogrande.js";

export { defineTask, type PromptFields, type TaskDefinition } from "./define_task.js";
export type { HellaSwagItem } from "./hellaswag.js";
export type { HumanEvalItem } from "./humaneval.js";
export type { MultipleChoiceItem } from "./multiple_choice.js";
export type { TriviaItem } from "./triviaqa.js";
export type { WinograndeItem } from "./winogrande.js";
export { arcChallenge, arcEasy, hellaswag, humaneval, mmlu, triviaqa, winogrande };

/** The built-in tasks, in the order of the release's own tables, HellaSwag last. */
export const evalTasks: readonly EvalTask[] = [
  arcEasy,
  arcChallenge,
  humaneval,
  mmlu,
  winogrande,
  triviaqa,
  hellaswag,
];

/** A built-in task. @throws PersimmonError TASK_UNKNOWN, with the names that there are */
export function findTask(name: string): EvalTask {
  const task = evalTasks.find((one) => one.name === name);
  if (task !== undefined) return task;
  const names = evalTasks.map((one) => one.name).join(", ");
  throw new PersimmonError(
    "TASK_UNKNOWN",
    `there is no task ${JSON.stringify(name)}; the built-in ones are ${names}, and defineTask makes others`,
  );
}

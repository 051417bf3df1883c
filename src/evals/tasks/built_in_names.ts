/** Names of the tasks in `evalTasks`, which no task of a cell may take: their runs would be mixed up. */
export const builtInNames: readonly string[] = [
  "arc-easy",
  "arc-challenge",
  "humaneval",
  "mmlu",
  "winogrande",
  "triviaqa",
  "hellaswag",
];

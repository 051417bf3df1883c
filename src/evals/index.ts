/** Evaluations by what a model generates, and by likelihood. */
export { type Preset, type PresetSplits, presets } from "./data/presets.js";
export { type EvalData, type ReadItemsOptions, readItems } from "./data/read_items.js";
export { type PassAtK, type ProblemSamples, passAtK } from "./pass_at_k.js";
export {
  type RemoteEvalProgress,
  type RunEvalOnServersOptions,
  runEvalOnServers,
} from "./remote/run_on_servers.js";
export { type EvalServer, parseServer } from "./remote/server_options.js";
export { openEvalWorker } from "./remote/worker.js";
export { type CompareEvalsOptions, compareEvals } from "./run/compare_evals.js";
export type { EvalComparison, Flip } from "./run/eval_comparison.js";
export type { EvalResult } from "./run/eval_result.js";
export type { EvalMethod, Manifest } from "./run/manifest.js";
export { mergeRuns } from "./run/merge_runs.js";
export type { EvalProgress, RunEvalOptions } from "./run/options.js";
export { runEval } from "./run/run_eval.js";
export type { ScoredSample } from "./run/score.js";
export { loadRun, type ScoreRunOptions, scoreRun } from "./run/score_run.js";
export type { RunSummary } from "./run/summary.js";
export {
  type ProgramResult,
  type ProgramStatus,
  Sandbox,
  type SandboxKind,
  type SandboxLimits,
  type SandboxOptions,
} from "./sandbox/index.js";
export { mcnemarExact } from "./statistics/mcnemar.js";
export type { PairedComparison } from "./statistics/paired.js";
export { type Tally, wilsonInterval } from "./statistics/proportion.js";
export type { EvalItem, EvalTask, LikelihoodQuestion, PromptSwitches } from "./task.js";
export * from "./tasks/index.js";

import { grouped } from "../../display/numbers.js";
import { type PassAtK, passAtK } from "../pass_at_k.js";
import { type Tally, tally } from "../statistics/proportion.js";
import type { EvalItem, EvalTask } from "../task.js";
import type { Manifest } from "./manifest.js";
import type { TimingLine } from "./samples.js";
import type { ScoredSample } from "./score.js";
import { shuffled } from "./shard.js";

/** summary.json: what a run says. */
export interface RunSummary {
  fingerprint: string;
  task: string;
  split: string;
  method: string;
  preset: string | null;
  /** Where questions and examples come from. */
  data: Manifest["data"];
  shots: Manifest["shots"];
  /** Every switch that Adept's release leaves open, and what else decides an answer. */
  task_version: number;
  settings: Manifest["settings"];
  /** Whether every item of the split was asked; otherwise the numbers are of a part and no headline. */
  complete: boolean;
  /** Items with all their samples, of all of the split. */
  items: { done: number; total: number };
  /** Samples without a verdict, because their programs were not run. */
  not_judged: number;
  correct: number;
  n: number;
  /** null when there is no sample yet. */
  accuracy: number | null;
  standard_error: number | null;
  /** 95 %; null with several samples of an item, which are not independent. */
  wilson: [number, number] | null;
  /** By the more forgiving reading; of likelihoods, by the sum for each byte (acc_norm). */
  lenient: { correct: number; accuracy: number } | null;
  unparsed: number;
  /** How answers ended: stop, eos, length. */
  finish: Record<string, number>;
  /** How programs ended: passed, failed, syntax, … */
  programs: Record<string, number>;
  sandbox: string | null;
  pass_at_k: { k: number; value: number; standard_error: number | null }[];
  seconds: number;
  prompt_tokens: number;
  generated_tokens: number;
  /** Of prompts and answers together. */
  tokens_per_second: number | null;
  /** What has to be said beside the numbers. */
  notes: string[];
  warnings: string[];
}

/** The share of answers that cannot be read from which on a score says more about the format than about the model. */
const mostUnparsed = 0.05;

/** k of pass@k as in human-eval, as far as there are samples. */
const ks = [1, 10, 100];

/**
 * Adds up a run.
 * @param items all that the run asks, in any order
 * @param sandboxes kinds under which programs ran
 */
export function summarize(
  { note }: Pick<EvalTask, "note">,
  items: readonly EvalItem[],
  manifest: Manifest,
  fingerprint: string,
  scored: readonly ScoredSample[],
  timing: readonly TimingLine[],
  sandboxes: readonly string[],
): RunSummary {
  const { samples: perItem } = manifest.settings;
  const judged = scored.filter(({ correct }) => correct !== null);
  const counts = countOf(judged);
  const whole = itemsDone(scored, perItem);
  const done = whole.length;
  const total = manifest.data.items;
  const lenient = judged.filter((sample) => sample.lenient !== undefined);
  const lenientRight = lenient.filter((sample) => sample.lenient).length;
  const sum = (key: keyof TimingLine) => timing.reduce((all, line) => all + line[key], 0);
  const [seconds, prompt, generated] = [sum("ms") / 1000, sum("prompt_tokens"), sum("generated_tokens")];
  const unparsed = scored.filter((sample) => sample.unparsed).length;
  const estimates = perItem > 1 ? estimatesOf(judged, perItem) : [];
  const sandbox = sandboxes.length === 0 ? null : [...new Set(sandboxes)].sort().join(", ");
  return {
    fingerprint,
    task: manifest.task,
    split: manifest.data.split,
    method: manifest.method,
    preset: manifest.preset,
    data: manifest.data,
    shots: manifest.shots,
    task_version: manifest.task_version,
    settings: manifest.settings,
    complete: done === total && judged.length === scored.length,
    items: { done, total },
    not_judged: scored.length - judged.length,
    correct: counts.correct,
    n: counts.n,
    accuracy: finite(counts.accuracy),
    standard_error: perItem > 1 ? (estimates[0]?.standard_error ?? null) : finite(counts.standardError),
    wilson: perItem > 1 || counts.n === 0 ? null : counts.interval,
    lenient: lenient.length === 0 ? null : { correct: lenientRight, accuracy: lenientRight / lenient.length },
    unparsed,
    finish: frequencies(scored.map(({ finish }) => finish)),
    programs: frequencies(scored.map(({ status }) => status)),
    sandbox,
    pass_at_k: estimates,
    seconds,
    prompt_tokens: prompt,
    generated_tokens: generated,
    tokens_per_second: seconds > 0 ? (prompt + generated) / seconds : null,
    notes: [
      ...(done > 0 && done < total ? [partialNote(items, new Set(whole), total)] : []),
      ...(note === undefined ? [] : [note]),
    ],
    warnings: warningsOf(manifest, scored.length, unparsed, sandbox),
  };
}

/** How many are right, of those that have a verdict. */
export function countOf(scored: readonly ScoredSample[]): Tally {
  const judged = scored.filter(({ correct }) => correct !== null);
  return tally(judged.filter(({ correct }) => correct).length, judged.length);
}

/** Ids of the items that have all of their answers. */
function itemsDone(scored: readonly ScoredSample[], perItem: number): string[] {
  const counts = new Map<string, number>();
  for (const { id } of scored) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts].filter(([, count]) => count === perItem).map(([id]) => id);
}

function estimatesOf(judged: readonly ScoredSample[], perItem: number): RunSummary["pass_at_k"] {
  const problems = new Map<string, { samples: number; passed: number }>();
  for (const { id, correct } of judged) {
    const problem = problems.get(id) ?? { samples: 0, passed: 0 };
    problems.set(id, { samples: problem.samples + 1, passed: problem.passed + (correct ? 1 : 0) });
  }
  const whole = [...problems.values()].filter(({ samples }) => samples === perItem);
  if (whole.length === 0) return [];
  return ks
    .filter((k) => k <= perItem)
    .map((k) => passAtK(whole, k))
    .map(({ k, value, standardError }: PassAtK) => ({ k, value, standard_error: finite(standardError) }));
}

/** What a part is a sample of. Those that are asked first are complete unless a stop has cut a batch off. */
function partialNote(items: readonly EvalItem[], done: ReadonlySet<string>, total: number): string {
  const isCutOff = shuffled(items)
    .slice(0, done.size)
    .some(({ id }) => !done.has(id));
  const rest = isCutOff ? "; of a batch that was cut off, the answers that ended first" : "";
  return `${grouped(done.size)} of ${grouped(total)} items are a fair sample, by the hashes of their ids${rest}`;
}

function warningsOf(manifest: Manifest, n: number, unparsed: number, sandbox: string | null): string[] {
  const warnings: string[] = [];
  if (unparsed > mostUnparsed * n) {
    const share = ((100 * unparsed) / n).toFixed(1);
    warnings.push(
      `${unparsed} of ${n} answers (${share} %) could not be read and count as wrong: this measures the format of the answers, not the ability behind them`,
    );
  }
  if (sandbox?.includes("none")) warnings.push("generated programs ran without a sandbox");
  const { modules, interventions } = manifest.model.changed;
  const changes = [...modules, ...interventions];
  if (changes.length > 0) warnings.push(`the model was changed: ${shortened(changes)}`);
  return warnings;
}

function shortened(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(", ");
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}

function frequencies(values: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) if (value !== undefined) counts[value] = (counts[value] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

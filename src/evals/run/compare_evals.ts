import { checkOptionNames, PersimmonError } from "../../errors.js";
import { comparePaired } from "../statistics/paired.js";
import { EvalComparison, type Flip } from "./eval_comparison.js";
import { EvalResult } from "./eval_result.js";
import type { ScoredSample } from "./score.js";
import { loadRun } from "./score_run.js";

/** What `compareEvals` takes. */
export interface CompareEvalsOptions {
  /**
   * Of a run by likelihood: "acc" (default), by the sum of log-probabilities, or "acc_norm", by the sum for each byte.
   */
  likelihood?: "acc" | "acc_norm";
}

/**
 * Compares two runs on the same items: of one model as it is and changed, of two weights types, or of one model asked in two
 * ways. Items that only one of the runs has are left out and counted.
 * @param first a result, or the folder of a run
 * @param second the same; `change` is the second's accuracy minus the first's
 * @throws PersimmonError EVALS_NOT_COMPARABLE for other tasks or data, several samples of an item, or no item in common; what
 *   `loadRun` throws
 */
export async function compareEvals(
  first: EvalResult | string,
  second: EvalResult | string,
  options: CompareEvalsOptions = {},
): Promise<EvalComparison> {
  checkOptionNames("compareEvals", options, ["likelihood"]);
  const { likelihood = "acc" } = options;
  if (likelihood !== "acc" && likelihood !== "acc_norm") {
    throw new PersimmonError(
      "EVAL_OPTIONS_INVALID",
      `compareEvals: likelihood must be "acc" or "acc_norm", got ${JSON.stringify(likelihood)}`,
    );
  }
  const [a, b] = [await resultOf(first), await resultOf(second)];
  expectComparable(a, b);
  const verdicts = (result: EvalResult) =>
    new Map(
      result.samples.flatMap((sample): [string, { sample: ScoredSample; right: boolean }][] => {
        const isNorm = result.manifest.method === "likelihood" && likelihood === "acc_norm";
        const right = isNorm ? sample.lenient : sample.correct;
        return right === undefined || right === null ? [] : [[sample.id, { sample, right }]];
      }),
    );
  const [ofA, ofB] = [verdicts(a), verdicts(b)];
  const counts = { both: 0, onlyFirst: 0, onlySecond: 0, neither: 0 };
  const flips: Flip[] = [];
  for (const [id, one] of ofA) {
    const other = ofB.get(id);
    if (other === undefined) continue;
    if (one.right && other.right) counts.both++;
    else if (!one.right && !other.right) counts.neither++;
    else {
      counts[one.right ? "onlyFirst" : "onlySecond"]++;
      flips.push({
        id,
        change: one.right ? "lost" : "gained",
        first: one.sample.answer,
        second: other.sample.answer,
        gold: one.sample.gold,
        ...(one.sample.kind !== undefined && { kind: one.sample.kind }),
      });
    }
  }
  const paired = comparePaired(counts);
  if (paired.n === 0) {
    throw notComparable("they have no item in common that both have judged");
  }
  const left = ofA.size + ofB.size - 2 * paired.n;
  return new EvalComparison({ first: a, second: b, paired, flips, left, likelihood });
}

async function resultOf(run: EvalResult | string): Promise<EvalResult> {
  if (run instanceof EvalResult) return run;
  if (typeof run === "string") return loadRun(run);
  throw new PersimmonError(
    "EVAL_OPTIONS_INVALID",
    `compareEvals takes two results of runEval, or folders of runs, got ${String(run)}`,
  );
}

function expectComparable(a: EvalResult, b: EvalResult): void {
  if (a.task !== b.task) throw notComparable(`one is ${a.task} and the other ${b.task}`);
  if (a.manifest.data.sha256 !== b.manifest.data.sha256) {
    throw notComparable(
      `their questions differ (${a.split} and ${b.split}, SHA-256 ${a.manifest.data.sha256.slice(0, 12)}… and ${b.manifest.data.sha256.slice(0, 12)}…)`,
    );
  }
  for (const { manifest } of [a, b]) {
    if (manifest.settings.samples === 1) continue;
    throw notComparable("the paired test is for one answer to each item, and there are several samples");
  }
}

function notComparable(why: string): PersimmonError {
  return new PersimmonError("EVALS_NOT_COMPARABLE", `the two runs cannot be compared by item: ${why}`);
}

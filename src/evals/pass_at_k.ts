import { PersimmonError } from "../errors.js";
import { optionChecks } from "../option_checks.js";

/** Samples of one problem. */
export interface ProblemSamples {
  /** Samples drawn. */
  samples: number;
  /** Those of them that passed. */
  passed: number;
}

export interface PassAtK {
  k: number;
  /** Mean over the problems, from 0 to 1. */
  value: number;
  /** Standard error of the mean over the problems, sqrt(s² / problems) with s² of divisor problems - 1; NaN for one problem. */
  standardError: number;
  problems: number;
}

/**
 * The chance that one of k samples passes, from n samples of each problem of which c passed: 1 - C(n-c, k) / C(n, k), which is
 * unbiased where 1 - (1 - c/n)^k is not (Chen et al. 2021, "Evaluating Large Language Models Trained on Code", eq. 1).
 * @param k samples that are allowed, at least 1
 * @throws PersimmonError PASS_AT_K_INVALID when a problem has fewer than k samples, or a count makes no sense
 */
export function passAtK(problems: readonly ProblemSamples[], k: number): PassAtK {
  optionChecks(invalid).whole("k", k, 1);
  if (!Array.isArray(problems) || problems.length === 0) throw invalid("there must be at least one problem");
  const values = problems.map((problem, index) => chanceOfPass(problem, k, index));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardError = Math.sqrt(squares / (values.length - 1) / values.length);
  return { k, value: mean, standardError, problems: values.length };
}

function chanceOfPass(problem: ProblemSamples, k: number, index: number): number {
  const { samples, passed } = problem ?? {};
  if (!Number.isInteger(samples) || !Number.isInteger(passed) || passed < 0 || passed > samples) {
    const found = `${String(passed)} of ${String(samples)}`;
    throw invalid(`problem ${index}: passed must be a whole number from 0 to samples, got ${found}`);
  }
  if (samples < k) {
    throw invalid(`problem ${index} has ${samples} samples, and pass@${k} needs at least ${k} of each`);
  }
  if (samples - passed < k) return 1;
  // The quotient of the binomials as a product: the binomials themselves do not fit into a number.
  let allFail = 1;
  for (let i = samples - passed + 1; i <= samples; i++) allFail *= 1 - k / i;
  return 1 - allFail;
}

function invalid(message: string): PersimmonError {
  return new PersimmonError("PASS_AT_K_INVALID", `passAtK: ${message}`);
}

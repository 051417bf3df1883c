import { PersimmonError } from "../../errors.js";

/** How many of how many. */
export interface Tally {
  correct: number;
  n: number;
  /** correct / n; NaN when n is 0. */
  accuracy: number;
  /** Standard error of the mean of 0s and 1s, sqrt(p (1 − p) / (n − 1)), as lm-eval's `mean_stderr`; NaN below two items. */
  standardError: number;
  /** 95 % Wilson score interval; [0, 1] when n is 0. */
  interval: [low: number, high: number];
}

/** The 97.5 % point of the normal distribution. */
const z = 1.959963984540054;

/**
 * The 95 % score interval of a proportion (Wilson 1927). It keeps its coverage near 0 and 1 and for few items, where p ± 1.96 SE
 * does not.
 * @throws PersimmonError ARGUMENT_INVALID unless 0 ≤ correct ≤ n
 */
export function wilsonInterval(correct: number, n: number): [low: number, high: number] {
  checkCounts("wilsonInterval", correct, n);
  if (n === 0) return [0, 1];
  const share = correct / n;
  const spread = (z * z) / n;
  const middle = (share + spread / 2) / (1 + spread);
  const half = Math.sqrt(share * (1 - share) * spread + (spread * spread) / 4) / (1 + spread);
  // The formula gives exactly 0 and 1 at the ends; floating point does not.
  return [correct === 0 ? 0 : middle - half, correct === n ? 1 : middle + half];
}

/** All that is said about a count of right answers. Throws `ARGUMENT_INVALID` unless 0 ≤ correct ≤ n. */
export function tally(correct: number, n: number): Tally {
  checkCounts("tally", correct, n);
  const accuracy = correct / n;
  const standardError = n < 2 ? Number.NaN : Math.sqrt((accuracy * (1 - accuracy)) / (n - 1));
  return { correct, n, accuracy, standardError, interval: wilsonInterval(correct, n) };
}

function checkCounts(caller: string, correct: number, n: number): void {
  if (Number.isInteger(correct) && Number.isInteger(n) && correct >= 0 && correct <= n) return;
  throw new PersimmonError(
    "ARGUMENT_INVALID",
    `${caller}: needs whole numbers with 0 ≤ correct ≤ n, got correct ${correct}, n ${n}`,
  );
}

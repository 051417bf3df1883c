import { mcnemarExact } from "./mcnemar.js";
import { type Tally, tally } from "./proportion.js";

/** Two runs on the same items. */
export interface PairedCounts {
  /** Items that both got right. */
  both: number;
  onlyFirst: number;
  onlySecond: number;
  neither: number;
}

/** What two runs on the same items say about one another. */
export interface PairedComparison extends PairedCounts {
  n: number;
  first: Tally;
  second: Tally;
  /** Accuracy of the second minus that of the first. */
  change: number;
  /** Of the mean of the differences −1, 0 and 1 of the items; NaN below two items. */
  standardError: number;
  /** Two-sided p of the exact McNemar test. */
  p: number;
}

/** Compares by item, which sees far smaller differences than two intervals side by side do. */
export function comparePaired(counts: PairedCounts): PairedComparison {
  const { both, onlyFirst, onlySecond, neither } = counts;
  const n = both + onlyFirst + onlySecond + neither;
  const change = (onlySecond - onlyFirst) / n;
  const variance = (onlyFirst + onlySecond - n * change * change) / (n - 1);
  return {
    both,
    onlyFirst,
    onlySecond,
    neither,
    n,
    first: tally(both + onlyFirst, n),
    second: tally(both + onlySecond, n),
    change,
    standardError: n < 2 ? Number.NaN : Math.sqrt(variance / n),
    p: mcnemarExact(onlyFirst, onlySecond),
  };
}

import { PersimmonError } from "../../errors.js";

/**
 * Two-sided p of the exact McNemar test (McNemar 1947): how likely it is that the items that only one of two runs gets right
 * fall at least this unevenly, if either run is as likely as the other to get such an item.
 * @param onlyFirst items that only the first run gets right
 * @param onlySecond items that only the second run gets right
 * @returns min(1, 2 P(X ≤ min(onlyFirst, onlySecond))) for X binomial with onlyFirst + onlySecond draws; 1 where there are none
 * @throws PersimmonError ARGUMENT_INVALID unless both are whole numbers from 0
 */
export function mcnemarExact(onlyFirst: number, onlySecond: number): number {
  for (const count of [onlyFirst, onlySecond]) {
    if (Number.isInteger(count) && count >= 0) continue;
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      `mcnemarExact: counts are whole numbers from 0, got ${count}`,
    );
  }
  const n = onlyFirst + onlySecond;
  // In logarithms, because 0.5^n is no number any more from n = 1075 on.
  let logTerm = -n * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let i = 1; i <= Math.min(onlyFirst, onlySecond); i++) {
    logTerm += Math.log((n - i + 1) / i);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}

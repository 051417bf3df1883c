/** Numbers as people read them. */

/** With thousands separators: 4,469,760. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}

/** Four significant digits, or all before the point; whole numbers in full. */
export function short(value: number): string {
  if (Number.isInteger(value)) return grouped(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e9)) return value.toExponential(2);
  const beforePoint = Math.floor(Math.log10(size)) + 1;
  return value.toLocaleString("en-US", { maximumSignificantDigits: Math.max(4, beforePoint) });
}

/**
 * A number of a table: six significant digits as in pandas, but every digit before the point, and one after it where the
 * number is not whole, so that 99,999.96 becomes 100,000.0 and not a whole number. Whole numbers in full; what is below
 * 1e-4 has an exponent, and so has what is too large for its last digits to mean anything.
 */
export function cellNumber(value: number): string {
  if (Number.isSafeInteger(value)) return grouped(value);
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size < 1e-4 || size > Number.MAX_SAFE_INTEGER) return Number(value.toPrecision(6)).toExponential();
  const decimals = Math.max(1, 5 - Math.floor(Math.log10(size)));
  return value.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: decimals });
}

const byteUnits = ["B", "kB", "MB", "GB", "TB"];

/** Decimal units, as storage and bandwidth are given: 8.94 MB, 16.65 GB. */
export function bytes(value: number): string {
  let unit = 0;
  let rest = value;
  while (rest >= 999.5 && unit < byteUnits.length - 1) {
    rest /= 1000;
    unit++;
  }
  return `${unit === 0 ? rest : rest.toPrecision(rest < 10 ? 3 : 4)} ${byteUnits[unit]}`;
}

/** 0.0731 → 7.3 %. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Seconds as 8.2 s, 3 min 5 s or 2 h 10 min. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

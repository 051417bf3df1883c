/** Checks of options; each gives the value back, or throws what `fail` makes of a message that names the option. */
export interface OptionChecks {
  /** A whole number; without `most` any that a number holds exactly. */
  whole(name: string, value: unknown, least: number, most?: number): number;
  between(name: string, value: unknown, least: number, most: number): number;
  flag(name: string, value: unknown): boolean;
  oneOf<T>(name: string, value: T, allowed: readonly T[]): T;
}

/** @param fail makes the error of whose options these are, with its code */
export function optionChecks(fail: (message: string) => Error): OptionChecks {
  return {
    whole(name, value, least, most) {
      const number = value as number;
      const isWhole = most === undefined ? Number.isSafeInteger(value) : Number.isInteger(value);
      if (isWhole && number >= least && (most === undefined || number <= most)) return number;
      const range = most === undefined ? `from ${least}` : `from ${least} to ${most}`;
      throw fail(`${name} must be a whole number ${range}, got ${String(value)}`);
    },
    between(name, value, least, most) {
      if (typeof value === "number" && value >= least && value <= most) return value;
      throw fail(`${name} must be a number from ${least} to ${most}, got ${String(value)}`);
    },
    flag(name, value) {
      if (typeof value === "boolean") return value;
      throw fail(`${name} must be true or false, got ${JSON.stringify(value)}`);
    },
    oneOf(name, value, allowed) {
      if (allowed.includes(value)) return value;
      const list = allowed.map((one) => JSON.stringify(one)).join(" or ");
      throw fail(`${name} must be ${list}, got ${JSON.stringify(value)}`);
    },
  };
}

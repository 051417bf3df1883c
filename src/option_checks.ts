import { valueText } from "./errors.js";

/** Checks of options; each gives the value back, or throws what `fail` makes of a message that names the option. */
export interface OptionChecks {
  /** A whole number; without `most` any that a number holds exactly. */
  whole(name: string, value: unknown, least: number, most?: number): number;
  between(name: string, value: unknown, least: number, most: number): number;
  flag(name: string, value: unknown): boolean;
  oneOf<T>(name: string, value: T, allowed: readonly T[]): T;
  text(name: string, value: unknown): string;
  /** A function, or undefined. */
  callback<F>(name: string, value: F): F;
}

/** @param fail makes the error of whose options these are, with its code */
export function optionChecks(fail: (message: string) => Error): OptionChecks {
  return {
    whole(name, value, least, most) {
      const number = value as number;
      const isWhole = most === undefined ? Number.isSafeInteger(value) : Number.isInteger(value);
      if (isWhole && number >= least && (most === undefined || number <= most)) return number;
      const range = most === undefined ? `from ${least}` : `from ${least} to ${most}`;
      throw fail(`${name} must be a whole number ${range}, got ${valueText(value)}`);
    },
    between(name, value, least, most) {
      if (typeof value === "number" && value >= least && value <= most) return value;
      throw fail(`${name} must be a number from ${least} to ${most}, got ${valueText(value)}`);
    },
    flag(name, value) {
      if (typeof value === "boolean") return value;
      throw fail(`${name} must be true or false, got ${valueText(value)}`);
    },
    oneOf(name, value, allowed) {
      if (allowed.includes(value)) return value;
      const list = allowed.map((one) => JSON.stringify(one)).join(" or ");
      throw fail(`${name} must be ${list}, got ${valueText(value)}`);
    },
    text(name, value) {
      if (typeof value === "string") return value;
      throw fail(`${name} must be a text, got ${valueText(value)}`);
    },
    callback(name, value) {
      if (value === undefined || typeof value === "function") return value;
      throw fail(`${name} must be a function, got ${valueText(value)}`);
    },
  };
}

import { PersimmonError } from "../../errors.js";

/** One row of a data file: its fields, and where it stands, for errors. */
export class DataRow {
  constructor(
    readonly fields: Readonly<Record<string, unknown>>,
    /** Such as `dev.jsonl:12` or `test.parquet, row 3`. */
    readonly where: string,
  ) {}

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null;
  }

  /** A text. @throws PersimmonError DATA_INVALID, as all the others here */
  text(name: string): string {
    const value = this.fields[name];
    if (typeof value !== "string") throw this.invalid(`"${name}" to be a text, found ${show(value)}`);
    if (/\p{Surrogate}/u.test(value)) {
      throw this.invalid(`"${name}" to be a text, found one with half of a surrogate pair: ${show(value)}`);
    }
    return value;
  }

  /** A text with more than white space. */
  words(name: string): string {
    const value = this.text(name);
    if (value.trim() === "") throw this.invalid(`"${name}" to be a text that is not empty`);
    return value;
  }

  /** A list of texts. */
  texts(name: string): string[] {
    const value = this.fields[name];
    if (!Array.isArray(value)) throw this.invalid(`"${name}" to be a list of texts, found ${show(value)}`);
    return value.map((_, index) => {
      const element = new DataRow({ [`${name}[${index}]`]: value[index] }, this.where);
      return element.text(`${name}[${index}]`);
    });
  }

  /** A whole number in `[0, size)`; digits in a text count too, as the hub has them. */
  index(name: string, size: number): number {
    const value = this.fields[name];
    const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number < size) return number;
    if (value === undefined || value === null || value === "") throw this.unlabelled(name);
    throw this.invalid(`"${name}" to be a whole number from 0 to ${size - 1}, found ${show(value)}`);
  }

  /** An object in a field. */
  object(name: string): DataRow {
    return DataRow.of(this.fields[name], `${this.where}: "${name}"`);
  }

  static of(value: unknown, where: string): DataRow {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return new DataRow(value as Record<string, unknown>, where);
    }
    throw new PersimmonError(
      "DATA_INVALID",
      `${where}: expected an object with named fields, found ${show(value)}.`,
    );
  }

  /** The error of this row. @param expected "… to be …, found …" */
  invalid(expected: string): PersimmonError {
    return new PersimmonError("DATA_INVALID", `${this.where}: expected ${expected}.`);
  }

  /** The error of a row without its answer. */
  unlabelled(name: string): PersimmonError {
    return new PersimmonError(
      "DATA_INVALID",
      `${this.where}: expected the right answer in "${name}", found none. The publishers keep the answers of some test ` +
        "sets to themselves: use the validation split.",
    );
  }

  /** The fields that there are, for an error. */
  get names(): string {
    return Object.keys(this.fields).join(", ") || "none";
  }
}

/** A value in an error message: JSON, cut after 60 characters. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

import { cellNumber } from "./numbers.js";

/** What of a table is shown; danfojs data frames have these properties. */
export interface Frame {
  columns: readonly string[];
  /** One list for each row. */
  values: readonly (readonly unknown[])[];
  /** [rows, columns] */
  shape: readonly number[];
}

const mostRows = 60;
const mostColumns = 40;

/** The texts of a table, the same for HTML and for plain text. */
export interface ShownPart {
  names: string[];
  rows: string[][];
  /** Columns of numbers stand on the right. */
  isNumeric: boolean[];
  /** How much is left out; undefined where nothing is. */
  note: string | undefined;
}

/** @param mostCharacters longer texts end with "…"; names and numbers are never cut */
export function shownPart({ columns, values, shape }: Frame, mostCharacters: number): ShownPart {
  const names = columns.slice(0, mostColumns).map(String);
  const shown = values.slice(0, mostRows);
  const left = [
    ...(shape[0] > shown.length ? [`${shown.length} of ${shape[0]} rows`] : []),
    ...(columns.length > names.length ? [`${names.length} of ${columns.length} columns`] : []),
  ];
  return {
    names,
    rows: shown.map((row) => names.map((_, at) => cellText(row[at], mostCharacters))),
    isNumeric: names.map((_, at) => shown.every((row) => typeof row[at] === "number" || row[at] === null)),
    note: left.length === 0 ? undefined : left.join(", "),
  };
}

function cellText(value: unknown, mostCharacters: number): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return cellNumber(value);
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text;
}

import { inspect } from "node:util";
import { escapeHtml } from "./html.js";
import type { MimeBundle } from "./mime.js";
import { short } from "./numbers.js";

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

/** The table in a value: a danfojs DataFrame, or a list of records; undefined when it is neither. */
export function frameOf(value: object): Frame | undefined {
  const { columns, values, shape, dtypes } = value as Partial<Frame> & { dtypes?: unknown };
  if ([columns, values, shape, dtypes].every(Array.isArray) && shape?.length === 2) return value as Frame;
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const records = value as Record<string, unknown>[];
  const isRecord = (part: unknown) =>
    typeof part === "object" && part !== null && Object.getPrototypeOf(part) === Object.prototype;
  if (!records.every(isRecord)) return undefined;
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const rows = records.map((record) => names.map((name) => record[name]));
  return { columns: names, values: rows, shape: [rows.length, names.length] };
}

/** @param value what the table was found in, for the text */
export function frameBundle(frame: Frame, value: unknown): MimeBundle {
  return {
    "text/html": tableHtml(frame),
    "text/plain": Array.isArray(value) ? inspect(value) : String(value),
  };
}

/** The table as HTML, every text escaped; says how much it leaves out. */
export function tableHtml({ columns, values, shape }: Frame): string {
  const shown = columns.slice(0, mostColumns);
  const rows = values.slice(0, mostRows);
  const isNumeric = shown.map((_, at) =>
    rows.every((row) => typeof row[at] === "number" || row[at] === null),
  );
  const align = (at: number) => ` style="text-align:${isNumeric[at] ? "right" : "left"}"`;
  const head = shown.map((name, at) => `<th${align(at)}>${escapeHtml(String(name))}</th>`).join("");
  const body = rows.map((row) => {
    const cells = shown.map((_, at) => `<td${align(at)}>${escapeHtml(cellText(row[at]))}</td>`);
    return `<tr>${cells.join("")}</tr>`;
  });
  const left = [
    ...(shape[0] > rows.length ? [`${rows.length} of ${shape[0]} rows`] : []),
    ...(columns.length > shown.length ? [`${shown.length} of ${columns.length} columns`] : []),
  ];
  const note = left.length === 0 ? "" : `<p>${left.join(", ")}</p>`;
  return `<table class="dataframe"><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table>${note}`;
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return short(value);
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

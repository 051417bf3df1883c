import { inspect } from "node:util";
import { escapeHtml } from "./html.js";
import type { MimeBundle } from "./mime.js";
import { type Frame, shownPart } from "./table_cells.js";
import { tableText } from "./table_text.js";

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
    "text/plain": Array.isArray(value) ? inspect(value) : tableText(frame),
  };
}

/** The table as HTML, every text escaped; says how much it leaves out. */
export function tableHtml(frame: Frame): string {
  const { names, rows, isNumeric, note } = shownPart(frame, 200);
  const align = (at: number) => ` style="text-align:${isNumeric[at] ? "right" : "left"}"`;
  const head = names.map((name, at) => `<th${align(at)}>${escapeHtml(name)}</th>`).join("");
  const body = rows.map((row) => {
    const cells = row.map((text, at) => `<td${align(at)}>${escapeHtml(text)}</td>`);
    return `<tr>${cells.join("")}</tr>`;
  });
  const below = note === undefined ? "" : `<p>${note}</p>`;
  return `<table class="dataframe"><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table>${below}`;
}

import { type Frame, MAX_COLUMNS, MAX_ROWS } from "./frame.js";
import { escapeHtml } from "./html.js";
import { lineOf } from "./text.js";

const MAX_CELL_CHARACTERS = 200;

/** The table as HTML, every text escaped; at most 50 rows and 40 columns are shown, and it says what is left out. */
export function tableHtml({ columns, index, rows, rowCount }: Frame): string {
  const shownColumns = columns.slice(0, MAX_COLUMNS);
  const head = shownColumns.map((column) => `<th>${escapeHtml(cellText(column))}</th>`).join("");
  const body = rows.slice(0, MAX_ROWS).map((row, i) => {
    const cells = shownColumns
      .map((_, j) => `<td${alignment(row[j])}>${escapeHtml(cellText(row[j]))}</td>`)
      .join("");
    return `<tr><th>${escapeHtml(cellText(index[i]))}</th>${cells}</tr>`;
  });
  const left = [];
  if (rowCount > body.length) left.push(`${body.length} of ${rowCount} rows`);
  if (columns.length > MAX_COLUMNS) left.push(`${MAX_COLUMNS} of ${columns.length} columns`);
  const note = left.length > 0 ? `<p>${left.join(", ")}</p>` : "";
  return `<table class="dataframe"><thead><tr><th></th>${head}</tr></thead><tbody>${body.join("")}</tbody></table>${note}`;
}

function alignment(value: unknown): string {
  return typeof value === "number" || typeof value === "bigint" ? ' style="text-align:right"' : "";
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" || typeof value === "function" ? lineOf(value) : String(value);
  return text.length > MAX_CELL_CHARACTERS ? `${text.slice(0, MAX_CELL_CHARACTERS)}…` : text;
}

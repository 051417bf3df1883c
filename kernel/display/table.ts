import { escapeHtml } from "./html.js";

const MAX_ROWS = 50;
const MAX_COLUMNS = 40;
const MAX_CELL_CHARACTERS = 200;

/** Rows under named columns, as a table shows them. */
export interface TableContent {
  columns: string[];
  index: unknown[];
  rows: unknown[][];
  /** How many rows there are; `rows` may hold only the first. */
  rowCount: number;
}

/** The shape of danfojs data frames and series, recognised without importing danfojs. */
interface DanfoFrame {
  columns: unknown[];
  index: unknown[];
  values: unknown[];
  shape: number[];
  dtypes: unknown[];
  toString(): string;
}

/** A table in this value: a danfojs DataFrame or Series, or an array of records; undefined when it is neither. */
export function tableOf(value: unknown): TableContent | undefined {
  if (isDanfoFrame(value)) return tableOfFrame(value);
  if (isRecordArray(value)) return tableOfRecords(value);
  return undefined;
}

/** Whether this is a danfojs DataFrame or Series. */
export function isDanfoFrame(value: unknown): value is DanfoFrame {
  if (typeof value !== "object" || value === null || Array.isArray(value) || !("dtypes" in value))
    return false;
  const frame = value as Partial<DanfoFrame>;
  return [frame.columns, frame.index, frame.values, frame.shape, frame.dtypes].every(Array.isArray);
}

function tableOfFrame(frame: DanfoFrame): TableContent {
  const rowCount = frame.shape[0] ?? frame.values.length;
  const rows = frame.values.slice(0, MAX_ROWS).map((row) => (Array.isArray(row) ? row : [row]));
  return { columns: frame.columns.map(String), index: frame.index.slice(0, MAX_ROWS), rows, rowCount };
}

function isRecordArray(value: unknown): value is Record<string, unknown>[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(isRecord) &&
    value.some((v) => Object.keys(v).length > 0)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function tableOfRecords(records: Record<string, unknown>[]): TableContent {
  const shown = records.slice(0, MAX_ROWS);
  const columns = [...new Set(shown.flatMap((record) => Object.keys(record)))];
  const rows = shown.map((record) => columns.map((column) => record[column]));
  return { columns, index: shown.map((_, i) => i), rows, rowCount: records.length };
}

/** The table as HTML, every text escaped; at most 50 rows and 40 columns are shown, and it says what is left out. */
export function tableHtml({ columns, index, rows, rowCount }: TableContent): string {
  const shownColumns = columns.slice(0, MAX_COLUMNS);
  const head = shownColumns.map((column) => `<th>${escapeHtml(column)}</th>`).join("");
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
  let text: string;
  try {
    if (value === null || value === undefined) text = String(value ?? "");
    else if (value instanceof Date) text = value.toISOString();
    else if (typeof value === "object") text = JSON.stringify(value) ?? String(value);
    else text = String(value);
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > MAX_CELL_CHARACTERS ? `${text.slice(0, MAX_CELL_CHARACTERS)}…` : text;
}

/** Rows and columns that a table shows. */
export const MAX_ROWS = 50;
export const MAX_COLUMNS = 40;

/** Rows under named columns; `rows` may hold only the first. */
export interface Frame {
  columns: string[];
  index: unknown[];
  rows: unknown[][];
  /** How many rows there are. */
  rowCount: number;
  /** The table as text, where its library makes a good one. */
  text?: string;
}

/** The table in a value: a danfojs or polars data frame, or an array of records; undefined when it is none of them. */
export function frameOf(value: object): Frame | undefined {
  if (Array.isArray(value)) return isRecordArray(value) ? frameOfRecords(value) : undefined;
  return danfojsFrame(value) ?? polarsFrame(value);
}

/** danfojs: DataFrame and Series. */
function danfojsFrame(value: object): Frame | undefined {
  if (!("dtypes" in value)) return undefined;
  const { columns, index, values, shape } = value as Record<string, unknown>;
  if (![columns, index, values, shape].every(Array.isArray)) return undefined;
  const rows = (values as unknown[]).slice(0, MAX_ROWS).map((row) => (Array.isArray(row) ? row : [row]));
  return {
    columns: (columns as unknown[]).map(String),
    index: (index as unknown[]).slice(0, MAX_ROWS),
    rows,
    rowCount: Number((shape as unknown[])[0] ?? rows.length),
    text: String(value),
  };
}

/** nodejs-polars: DataFrame. */
function polarsFrame(value: object): Frame | undefined {
  const { columns, height, toRecords, head } = value as Record<string, unknown>;
  if (!Array.isArray(columns) || typeof height !== "number") return undefined;
  if (typeof toRecords !== "function" || typeof head !== "function") return undefined;
  const records = (value as { head(rows: number): { toRecords(): unknown[] } }).head(MAX_ROWS).toRecords();
  const names = columns.map(String);
  return {
    columns: names,
    index: records.map((_, i) => i),
    rows: (records as Record<string, unknown>[]).map((record) => names.map((name) => record[name])),
    rowCount: height,
    text: String(value),
  };
}

function isRecordArray(value: unknown[]): value is Record<string, unknown>[] {
  return value.length > 0 && value.every(isRecord) && value.some((record) => Object.keys(record).length > 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function frameOfRecords(records: Record<string, unknown>[]): Frame {
  const shown = records.slice(0, MAX_ROWS);
  const columns = [...new Set(shown.flatMap((record) => Object.keys(record)))];
  const rows = shown.map((record) => columns.slice(0, MAX_COLUMNS).map((column) => record[column]));
  return { columns, index: shown.map((_, i) => i), rows, rowCount: records.length };
}

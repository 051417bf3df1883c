import { createRequire } from "node:module";
import type { DataFrame } from "danfojs-node";
import { PersimmonError } from "../errors.js";
import { jupyterDisplay } from "./mime.js";
import { frameBundle } from "./table_html.js";

/** Rows with the same keys, or columns of the same length. */
export type TableContent = readonly Record<string, unknown>[] | Record<string, ArrayLike<unknown>>;

/**
 * A danfojs DataFrame that a notebook shows as a table. danfojs is loaded by the first call (about a second), and by
 * nothing else.
 * @throws PersimmonError TABLE_INVALID for other values, and for columns of different lengths
 */
export function table(content: TableContent): DataFrame {
  const columns = columnsOf(content);
  const danfojs = createRequire(import.meta.url)("danfojs-node") as typeof import("danfojs-node");
  const frame = new danfojs.DataFrame(columns);
  // On the object, not on its class: other people's data frames are theirs to show.
  return Object.defineProperty(frame, jupyterDisplay, {
    value: () => frameBundle(frame as never, frame),
    enumerable: false,
  });
}

/** Columns by name. Keys that a record lacks give null. */
function columnsOf(content: TableContent): Record<string, unknown[]> {
  if (typeof content !== "object" || content === null || ArrayBuffer.isView(content)) {
    throw new PersimmonError(
      "TABLE_INVALID",
      `a table is made of records or of columns, got ${String(content)}`,
    );
  }
  if (Array.isArray(content)) return columnsOfRecords(content);
  const lengths = new Set<number>();
  const columns = Object.entries(content).map(([name, values]): [string, unknown[]] => {
    if (typeof values === "string" || typeof (values as ArrayLike<unknown>)?.length !== "number") {
      throw new PersimmonError("TABLE_INVALID", `column "${name}" must be a list, got ${String(values)}`);
    }
    lengths.add(values.length);
    return [name, Array.from(values)];
  });
  if (columns.length === 0) throw new PersimmonError("TABLE_INVALID", "a table needs at least one column");
  if (lengths.size > 1) {
    const found = columns.map(([name, values]) => `${name}: ${values.length}`).join(", ");
    throw new PersimmonError("TABLE_INVALID", `columns must have the same length, got ${found}`);
  }
  return Object.fromEntries(columns);
}

function columnsOfRecords(records: readonly unknown[]): Record<string, unknown[]> {
  for (const [row, record] of records.entries()) {
    if (typeof record !== "object" || record === null || Array.isArray(record)) {
      throw new PersimmonError(
        "TABLE_INVALID",
        `row ${row} must be a record { column: value }, got ${String(record)}`,
      );
    }
  }
  const names = [...new Set(records.flatMap((record) => Object.keys(record as object)))];
  if (names.length === 0)
    throw new PersimmonError("TABLE_INVALID", "a table needs at least one row with a key");
  const values = (name: string) => records.map((record) => (record as Record<string, unknown>)[name] ?? null);
  return Object.fromEntries(names.map((name) => [name, values(name)]));
}

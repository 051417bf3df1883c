import { CsvError, parse } from "csv-parse/sync";
import { PersimmonError } from "../../errors.js";
import { decodeUtf8 } from "./json_rows.js";
import { DataRow } from "./row.js";

/** What csv-parse gives for a record with `info`. */
interface CsvRecord {
  record: string[];
  info: { lines: number };
}

/**
 * MMLU's own files: no header; question, four options, letter. The subject is in the file's name.
 * @param constants fields that all rows of the file have
 */
export function mmluCsv(bytes: Uint8Array, file: string, constants: Record<string, unknown>): DataRow[] {
  const text = decodeUtf8(bytes, file);
  let records: CsvRecord[];
  try {
    records = parse(text, {
      info: true,
      record_delimiter: ["\n", "\r\n"],
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as CsvRecord[];
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new PersimmonError("DATA_INVALID", `${file}:${cause.lines}: expected CSV: ${cause.message}.`, {
      cause,
    });
  }
  return records.map(({ record, info }) => {
    // `lines` counts to the end of the record, and a quoted field may hold line breaks.
    const breaks = record.join("").split("\n").length - 1;
    const where = `${file}:${info.lines - breaks}`;
    if (record.length !== 6) {
      throw new PersimmonError(
        "DATA_INVALID",
        `${where}: expected 6 fields (a question, four options, a letter), found ${record.length}.`,
      );
    }
    const [question, ...rest] = record;
    return new DataRow({ ...constants, question, choices: rest.slice(0, 4), answer: rest[4] }, where);
  });
}

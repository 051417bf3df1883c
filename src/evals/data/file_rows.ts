import { gunzipSync } from "node:zlib";
import { PersimmonError } from "../../errors.js";
import { mmluCsv } from "./csv_rows.js";
import { jsonLines, triviaDocument } from "./json_rows.js";
import { parquetRows } from "./parquet_rows.js";
import type { DataRow } from "./row.js";

/** What a file cannot say about itself. */
export interface FileContext {
  /** Whether a file that is none of the other forms is MMLU's CSV. */
  csv: boolean;
  /** MMLU's CSV has the subject in its name. */
  subject: string | undefined;
}

/**
 * The rows of a data file, recognised by its content: gzip (unpacked first), parquet, TriviaQA's JSON, MMLU's CSV, or JSON
 * lines.
 * @throws PersimmonError DATA_INVALID, with the file and the line
 */
export async function readRows(bytes: Uint8Array, file: string, context: FileContext): Promise<DataRow[]> {
  const content = unpacked(bytes, file);
  const rows = await rowsOf(content, file, context);
  if (rows.length === 0) throw new PersimmonError("DATA_INVALID", `${file}: expected questions, found none.`);
  return rows;
}

function rowsOf(
  bytes: Uint8Array,
  file: string,
  { csv, subject }: FileContext,
): Promise<DataRow[]> | DataRow[] {
  const start = Buffer.from(bytes.subarray(0, 64)).toString("latin1");
  if (start.startsWith("PAR1")) return parquetRows(bytes, file);
  if (/^\s*\{\s*"(Data|Domain|Split|VerifiedEval|Version)"/.test(start)) return triviaDocument(bytes, file);
  if (csv && !/^(\xef\xbb\xbf)?\s*(\{|$)/.test(start)) return mmluCsv(bytes, file, { subject });
  return [...jsonLines(bytes, file)];
}

function unpacked(bytes: Uint8Array, file: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new PersimmonError(
      "DATA_INVALID",
      `${file}: expected a complete gzip file: ${reason}. Fetch it again.`,
      { cause },
    );
  }
}

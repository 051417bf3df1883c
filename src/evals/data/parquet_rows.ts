import { gunzipSync } from "node:zlib";
import { PersimmonError } from "../../errors.js";
import { DataRow } from "./row.js";

/** The rows of a parquet file, as the hub keeps data sets; uncompressed, Snappy or gzip. */
export async function parquetRows(bytes: Uint8Array, file: string): Promise<DataRow[]> {
  const { parquetReadObjects } = await import("hyparquet");
  // A copy: the bytes of a small file are a part of a larger buffer.
  const buffer = new Uint8Array(bytes).buffer;
  try {
    const rows = await parquetReadObjects({
      file: buffer,
      compressors: { GZIP: (input) => gunzipSync(input) },
    });
    return rows.map(
      (row, index) => new DataRow(plain(row) as Record<string, unknown>, `${file}, row ${index}`),
    );
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new PersimmonError(
      "DATA_INVALID",
      `${file}: expected a parquet file that can be read: ${reason}.`,
      {
        cause,
      },
    );
  }
}

/** 64-bit whole numbers, which are labels here, as numbers. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}

import { TextDecoder } from "node:util";
import { PersimmonError } from "../../errors.js";
import { DataRow } from "./row.js";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** UTF-8 text; @throws PersimmonError DATA_INVALID */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new PersimmonError("DATA_INVALID", `${where}: expected text in UTF-8: ${reason}.`, { cause });
  }
}

/**
 * One JSON object a line; empty lines are skipped. A line ends at "\n" and nowhere else: some data sets have U+2028 and U+0085
 * inside their texts.
 */
export function* jsonLines(bytes: Uint8Array, file: string): Generator<DataRow> {
  let number = 0;
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    number++;
    const where = `${file}:${number}`;
    const line = decodeUtf8(bytes.subarray(start, end), where);
    start = end + 1;
    if (line.trim() !== "") yield DataRow.of(parseJson(line, where), where);
  }
}

/** TriviaQA's own files: one JSON object with the questions in `Data`. */
export function triviaDocument(bytes: Uint8Array, file: string): DataRow[] {
  const document = DataRow.of(parseJson(decodeUtf8(bytes, file), file), file);
  const data = document.fields.Data;
  if (!Array.isArray(data))
    throw document.invalid(`a list "Data", as TriviaQA's files have, found ${document.names}`);
  return data.map((value, index) => DataRow.of(value, `${file}: Data[${index}]`));
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new PersimmonError(
      "DATA_INVALID",
      `${where}: expected a JSON object, found something else: ${reason}.`,
      {
        cause,
      },
    );
  }
}

import ts from "typescript";
import type { Completeness } from "./engine.js";

/**
 * Says whether a cell can run as it stands. The rule is tslab's: input is incomplete when the parser misses something
 * at its very end; an empty last line after a blank one ends it all the same.
 */
export function isComplete(code: string): Completeness {
  const file = ts.createSourceFile("cell.ts", code, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS);
  const errors = (file as unknown as { parseDiagnostics: ts.DiagnosticWithLocation[] }).parseDiagnostics;
  if (errors.length === 0) return { status: "complete" };
  const end = code.trimEnd().length;
  const atEnd = errors.some(
    (error) => error.start + error.length >= end && (error.start >= end || UNTERMINATED.has(error.code)),
  );
  if (!atEnd) return { status: "invalid" };
  if (/\n[ \t]*\n[ \t]*$/.test(code)) return { status: "invalid" };
  return { status: "incomplete", indent: indentAfter(code) };
}

// An unterminated comment, template or template part reaches to the end of the text.
const UNTERMINATED = new Set([1010, 1160, 1126]);

/** The indentation of the next line: that of the last, and two more after an opening bracket. */
function indentAfter(code: string): string {
  const line = code.trimEnd().split("\n").at(-1)!;
  const indent = /^\s*/.exec(line)![0];
  return /[([{]\s*$|=>\s*$/.test(line) ? `${indent}  ` : indent;
}

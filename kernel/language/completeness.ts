import ts from "typescript";
import type { Completeness } from "./engine.js";

// An unterminated comment, template or template part reaches to the end of the text.
const UNTERMINATED = new Set([1010, 1160, 1126]);
// An unterminated string or regular expression cannot go on in the next line.
const UNTERMINATED_IN_LINE = new Set([1002, 1161]);
// The parser lets these pass at the end, or complains about their beginning.
const WANTS_MORE = /(^|[^\w$.])(const|import|export|await|default|export default|import type)\s*$|,\s*$/;

/**
 * Says whether a cell can run as it stands. The rule is tslab's: input is incomplete when the parser misses something
 * at its very end.
 */
export function isComplete(code: string): Completeness {
  const file = ts.createSourceFile("cell.ts", code, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS);
  const errors = (file as unknown as { parseDiagnostics: ts.DiagnosticWithLocation[] }).parseDiagnostics;
  const end = code.trimEnd().length;
  const line = code.slice(code.lastIndexOf("\n", end - 1) + 1, end);
  const incomplete: Completeness = { status: "incomplete", indent: indentAfter(line) };
  const earlier = errors.some((error) => error.start < end - line.length);
  if (!earlier && !line.includes("//") && WANTS_MORE.test(line)) return incomplete;
  if (errors.length === 0) return { status: "complete" };
  if (errors.some((error) => UNTERMINATED_IN_LINE.has(error.code))) return { status: "invalid" };
  const atEnd = errors.some(
    (error) => error.start + error.length >= end && (error.start >= end || UNTERMINATED.has(error.code)),
  );
  return atEnd ? incomplete : { status: "invalid" };
}

/** The indentation of the line after this one: the same, and one step more when a bracket stays open. */
function indentAfter(line: string): string {
  const indent = /^\s*/.exec(line)![0];
  const opened = (line.match(/[([{]/g)?.length ?? 0) - (line.match(/[)\]}]/g)?.length ?? 0);
  if (opened <= 0 && !/([([{]|=>)\s*$/.test(line)) return indent;
  return indent + (indent.startsWith("\t") ? "\t" : "  ");
}

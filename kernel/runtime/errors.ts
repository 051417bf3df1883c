import { inspect } from "node:util";
import type { ErrorContent } from "../threads.js";
import { isInterrupt } from "./interrupts.js";

/** Thrown by process.exit in a cell: the kernel lives on. */
export class SystemExit extends Error {
  constructor(readonly exitCode: unknown) {
    super(
      `process.exit(${exitCode ?? ""}) ends only this cell; shut the kernel down from Jupyter to end it.`,
    );
    this.name = "SystemExit";
  }
}

/** Frames of Node itself say nothing about the user's code. */
const INTERNAL_FRAME = /^\s+at .*(\(node:|node:internal|\(<anonymous>\)$)/;
const CELL_FRAME = /^\s+at (?:.*\()?(Cell \d+|[^()\s]+\.[cm]?tsx?):(\d+):(\d+)\)?$/m;
const MAX_CAUSES = 8;

/** An exception as Jupyter shows it: name, message, stack in the cell's own lines, causes, and the offending line. */
export function errorContent(error: unknown, sources: SourceLines): ErrorContent {
  if (isInterrupt(error)) {
    const evalue = "The execution was interrupted.";
    return { ename: "KeyboardInterrupt", evalue, traceback: [`KeyboardInterrupt: ${evalue}`] };
  }
  if (!isError(error)) {
    const evalue = safeInspect(error);
    return { ename: "UncaughtValue", evalue, traceback: [`Uncaught ${evalue}`] };
  }
  const ename = String(error.name || "Error");
  const evalue = String(error.message ?? "");
  const traceback = describe(error, sources, 0).split("\n");
  return { ename, evalue, traceback };
}

/** Looks up a line of a cell or a local file by the label that stacks show. */
export type SourceLines = (label: string, line: number) => string | undefined;

function describe(error: Error, sources: SourceLines, depth: number): string {
  const stack = typeof error.stack === "string" ? error.stack : String(error);
  const lines = stack.split("\n").filter((line) => !INTERNAL_FRAME.test(line));
  const parts = [lines.join("\n")];
  const excerpt = offendingLine(stack, sources);
  if (excerpt) parts.push(excerpt);
  if (error.cause !== undefined && depth < MAX_CAUSES) {
    const cause = isError(error.cause) ? describe(error.cause, sources, depth + 1) : safeInspect(error.cause);
    parts.push(`[cause]: ${cause}`);
  }
  if (error instanceof AggregateError && depth < MAX_CAUSES) {
    error.errors.slice(0, 10).forEach((inner, i) => {
      parts.push(
        `[errors ${i}]: ${isError(inner) ? describe(inner, sources, depth + 1) : safeInspect(inner)}`,
      );
    });
  }
  return parts.join("\n\n");
}

function offendingLine(stack: string, sources: SourceLines): string | undefined {
  const match = CELL_FRAME.exec(stack);
  if (!match) return undefined;
  const [, label, line, column] = match;
  const text = sources(label!, Number(line));
  if (text === undefined) return undefined;
  const gutter = " ".repeat(line!.length);
  const indent = text.slice(0, Number(column) - 1).replace(/[^\t]/g, " ");
  return `${line} | ${text}\n${gutter} | ${indent}^`;
}

function isError(value: unknown): value is Error {
  // Errors of another context (vm, worker) are no instances of this Error.
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

function safeInspect(value: unknown): string {
  try {
    return inspect(value, { depth: 4 });
  } catch {
    return Object.prototype.toString.call(value);
  }
}

import { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import type { Insertion } from "../language/engine.js";
import { applyInsertions, toSourceOffset } from "../language/insertions.js";

/** What is needed to show a place in compiled code as the user wrote it. */
export interface ScriptSource {
  label: string;
  map: string;
  source: string;
  insertions: readonly Insertion[];
  /** The id of the request that ran it; undefined for local files. */
  parent?: string;
}

/** A place in the user's source; lines and columns count from 1. */
export interface Place {
  script: ScriptSource;
  line: number;
  column: number;
}

// Scripts of the kernel that are no files of it.
const HIDDEN = /^node:internal\/guard$|^node:vm$|[\\/]__import__\.js$/;
const STACK_TRACE_LIMIT = 40;

/** All scripts that the kernel compiled, by file name, and the stack traces that show them. */
export class Scripts {
  readonly #scripts = new Map<string, ScriptSource & { decoded?: SourceMap }>();
  readonly #labels = new Map<string, ScriptSource>();
  readonly #kernelFolder = fileURLToPath(new URL("..", import.meta.url));

  register(file: string, script: ScriptSource): void {
    this.#scripts.set(file, script);
    this.#labels.set(script.label, script);
  }

  /** The latest script of this label. */
  byLabel(label: string): ScriptSource | undefined {
    return this.#labels.get(label);
  }

  /** The script compiled under this file name. */
  get(file: string): ScriptSource | undefined {
    return this.#scripts.get(file);
  }

  /** Line and column, from 1, of an offset in the text that a script was compiled from. */
  placeOf(script: ScriptSource, offset: number): { line: number; column: number } {
    const before = script.source.slice(0, toSourceOffset(offset, script.insertions)).split("\n");
    return { line: before.length, column: before.at(-1)!.length + 1 };
  }

  /** Where a place of the compiled code is in the user's source. Lines and columns count from 1. */
  locate(file: string, line: number, column: number): Place | undefined {
    const script = this.#scripts.get(file);
    if (!script) return undefined;
    if (!script.map) return { script, line, column };
    script.decoded ??= new SourceMap(JSON.parse(script.map));
    const entry = script.decoded.findEntry(line - 1, column - 1) as {
      originalLine?: number;
      originalColumn?: number;
    };
    if (entry.originalLine === undefined) return undefined;
    return { script, ...withoutInsertions(script, entry.originalLine, entry.originalColumn ?? 0) };
  }

  /** Makes `error.stack` of every error show cells by label, line and column, without the kernel's own frames. */
  install(): void {
    // Node keeps 10 frames; an error from deep inside a package would not reach the line of the cell.
    Error.stackTraceLimit = STACK_TRACE_LIMIT;
    Error.prepareStackTrace = (error, frames) => {
      const lines: string[] = [];
      for (const frame of frames) {
        const line = this.#describe(frame);
        if (line) lines.push(`\n    at ${line}`);
      }
      return headOf(error) + lines.join("");
    };
  }

  #describe(frame: NodeJS.CallSite): string | undefined {
    const file = frame.getFileName() ?? "";
    const path = file.startsWith("file:") ? fileURLToPath(file) : file;
    if (path.startsWith(this.#kernelFolder) || HIDDEN.test(path)) return undefined;
    const text = frame.toString();
    const place = this.locate(path, frame.getLineNumber() ?? 0, frame.getColumnNumber() ?? 0);
    if (!place) return this.#scripts.has(path) ? undefined : text;
    const where = `${place.script.label}:${place.line}:${place.column}`;
    const name = frame.getFunctionName();
    if (!name || name === "cellBody") return text.startsWith("async ") ? `async ${where}` : where;
    const call = text.slice(0, text.lastIndexOf(" ("));
    return `${call || name} (${where})`;
  }
}

function headOf(error: unknown): string {
  try {
    // As V8 does it: also for objects that only got a stack, such as those of console.trace.
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function withoutInsertions(
  script: ScriptSource,
  line: number,
  column: number,
): { line: number; column: number } {
  const text = applyInsertions(script.source, script.insertions);
  let offset = 0;
  for (let i = 0; i < line; i++) offset = text.indexOf("\n", offset) + 1;
  const at = startOfCallee(script.source, toSourceOffset(offset + column, script.insertions));
  const before = script.source.slice(0, at).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

/**
 * A call of an imported name is emitted as `(0, module.name)()`, whose position maps to the parenthesis after the name.
 * The name is what V8 would point at.
 */
function startOfCallee(source: string, offset: number): number {
  if (source[offset] !== "(") return offset;
  return offset - /[\p{ID_Continue}$]*$/u.exec(source.slice(0, offset))![0].length;
}

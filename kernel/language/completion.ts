import ts from "typescript";
import { moduleOfCell } from "./cell_source.js";
import type { CellCompiler } from "./compiler.js";
import type { Completion } from "./engine.js";
import { toModuleOffset, toSourceOffset } from "./insertions.js";
import { codePointOffset, utf16Offset } from "./positions.js";
import { ROOT_CELL } from "./workspace.js";

// A menu longer than this helps nobody, and its message costs time.
const MAX_MATCHES = 1000;
const IDENTIFIER_BEFORE = /[\p{ID_Continue}$\u200c\u200d]*$/u;
const IDENTIFIER_AFTER = /^[\p{ID_Continue}$\u200c\u200d]*/u;
// TypeScript's order of entries: what is declared nearby has 10 to 14.
const GLOBALS_RANK = 15;
const TYPES_ONLY = new Set(["interface", "type"]);

interface Match {
  name: string;
  type: string;
}

/** The entries found last, and for which word of which code. */
interface Remembered {
  key: string;
  found: ts.CompletionInfo | undefined;
}

const remembered = new WeakMap<CellCompiler, Remembered>();

/** What could stand at the cursor: members, names of this and earlier cells, globals, keywords, module paths. */
export function complete(compiler: CellCompiler, code: string, position: number): Completion {
  const cursor = utf16Offset(code, position);
  const word = {
    start: cursor - IDENTIFIER_BEFORE.exec(code.slice(0, cursor))![0].length,
    end: cursor + IDENTIFIER_AFTER.exec(code.slice(cursor))![0].length,
  };
  const { found, range } = entriesAt(compiler, code, cursor, word);
  const typed = code.slice(range.start, cursor);
  const matches = found ? matchesOf(found, compiler, typed) : [];
  const from = codePointOffset(code, range.start);
  const to = codePointOffset(code, range.end);
  return {
    matches: matches.map(({ name }) => name),
    cursor_start: from,
    cursor_end: to,
    metadata: {
      // JupyterLab shows the kind of each match from this.
      _jupyter_types_experimental: matches.map(({ name, type }) => ({
        text: name,
        type,
        start: from,
        end: to,
      })),
    },
  };
}

interface Range {
  start: number;
  end: number;
}

/**
 * The compiler's entries at the cursor, and what they replace. While a word is being typed they stay the same, so they
 * are found once for each word: the first letter takes about 6 ms, the others less than 1.
 */
function entriesAt(
  compiler: CellCompiler,
  code: string,
  cursor: number,
  word: Range,
): { found: ts.CompletionInfo | undefined; range: Range } {
  const key = JSON.stringify([compiler.state, code.slice(0, word.start), code.slice(word.end)]);
  const known = remembered.get(compiler);
  if (known?.key === key && word.end === cursor)
    return { found: known.found, range: { start: word.start, end: cursor } };
  const cell = moduleOfCell(code, compiler.names);
  const { workspace } = compiler;
  const path = workspace.pathOf(ROOT_CELL);
  workspace.setCell(ROOT_CELL, cell.text);
  const offset = toModuleOffset(cursor, cell.insertions);
  const found = workspace.service.getCompletionsAtPosition(path, offset, {
    includeCompletionsWithInsertText: false,
    includeCompletionsForModuleExports: false,
  });
  const range = { start: word.start, end: cursor };
  const span =
    found?.optionalReplacementSpan ?? found?.entries.find((entry) => entry.replacementSpan)?.replacementSpan;
  if (span) {
    range.start = Math.min(cursor, toSourceOffset(span.start, cell.insertions));
    range.end = Math.max(cursor, toSourceOffset(span.start + span.length, cell.insertions));
  }
  // In a string or a path, and inside of a word, what is replaced is the compiler's to say.
  const isWord = range.start === word.start && range.end === cursor && word.end === cursor;
  if (isWord && found) remembered.set(compiler, { key, found });
  return { found, range };
}

function matchesOf(found: ts.CompletionInfo, compiler: CellCompiler, typed: string): Match[] {
  const matches = new Map<string, Match>();
  const add = (name: string, type: string) => {
    if (!matches.has(name)) matches.set(name, { name, type });
  };
  const entries = found.entries
    .filter((entry) => entry.kind !== ts.ScriptElementKind.warning && !entry.name.startsWith("__cell_"))
    .filter((entry) => entry.name.toLowerCase().startsWith(typed.toLowerCase()))
    .sort((a, b) => rank(a) - rank(b));
  const [near, far] = [entries.filter(isNear), entries.filter((entry) => !isNear(entry))];
  const kindOf = (entry: ts.CompletionEntry) =>
    // Names of earlier cells are imports to the compiler; what they stand for is known from their declaration.
    (entry.kind === ts.ScriptElementKind.alias && compiler.declarations.get(entry.name)?.kind) ||
    typeOf(entry.kind);
  for (const entry of near) add(entry.name, kindOf(entry));
  for (const [name, type] of namesOfEarlierCells(found, compiler)) {
    if (name.toLowerCase().startsWith(typed.toLowerCase())) add(name, type);
  }
  for (const entry of far) add(entry.name, kindOf(entry));
  // What begins as it was typed comes before what differs in capitals.
  const all = [...matches.values()];
  const exact = all.filter(({ name }) => name.startsWith(typed));
  return [...exact, ...all.filter(({ name }) => !name.startsWith(typed))].slice(0, MAX_MATCHES);
}

/** Declared in the cell, rather than a global or a keyword. */
function isNear(entry: ts.CompletionEntry): boolean {
  return rank(entry) < GLOBALS_RANK;
}

/**
 * Names that earlier cells declared. The compiler is told of those that the cell uses; telling it of all would make
 * each completion take longer with every cell.
 */
function namesOfEarlierCells(
  found: ts.CompletionInfo,
  compiler: CellCompiler,
): [name: string, type: string][] {
  // Globals that are nothing but a value or a type tell what may stand here.
  const offered = new Set(found.entries.map(({ name }) => name));
  const values = offered.has("parseInt");
  const types = offered.has("Partial");
  if (!values && !types) return [];
  return [...compiler.declarations]
    .filter(([, { kind }]) => (TYPES_ONLY.has(kind) ? types : values || kind === "class" || kind === "enum"))
    .map(([name, { kind }]): [string, string] => [name, kind])
    .reverse();
}

/** The order of TypeScript's own sortText, but what cells declared comes before globals of the same rank. */
function rank(entry: ts.CompletionEntry): number {
  return Number.parseInt(entry.sortText, 10) || 99;
}

function typeOf(kind: ts.ScriptElementKind): string {
  switch (kind) {
    case ts.ScriptElementKind.functionElement:
    case ts.ScriptElementKind.localFunctionElement:
    case ts.ScriptElementKind.memberFunctionElement:
      return "function";
    case ts.ScriptElementKind.memberVariableElement:
    case ts.ScriptElementKind.memberGetAccessorElement:
    case ts.ScriptElementKind.memberSetAccessorElement:
      return "property";
    case ts.ScriptElementKind.classElement:
    case ts.ScriptElementKind.localClassElement:
      return "class";
    case ts.ScriptElementKind.interfaceElement:
      return "interface";
    case ts.ScriptElementKind.typeElement:
    case ts.ScriptElementKind.typeParameterElement:
      return "type";
    case ts.ScriptElementKind.enumElement:
      return "enum";
    case ts.ScriptElementKind.moduleElement:
    case ts.ScriptElementKind.externalModuleName:
      return "module";
    case ts.ScriptElementKind.keyword:
      return "keyword";
    case ts.ScriptElementKind.constElement:
    case ts.ScriptElementKind.enumMemberElement:
      return "constant";
    case ts.ScriptElementKind.string:
      return "text";
    case ts.ScriptElementKind.scriptElement:
    case ts.ScriptElementKind.directory:
      return "path";
    default:
      return "variable";
  }
}

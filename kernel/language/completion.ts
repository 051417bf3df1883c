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

/** What could stand at the cursor: members, names of this and earlier cells, globals, keywords, module paths. */
export function complete(compiler: CellCompiler, code: string, position: number): Completion {
  const cursor = utf16Offset(code, position);
  const cell = moduleOfCell(code, compiler.names, "all");
  const { workspace } = compiler;
  const path = workspace.pathOf(ROOT_CELL);
  workspace.setCell(ROOT_CELL, cell.text);
  const offset = toModuleOffset(cursor, cell.insertions);
  const found = workspace.service.getCompletionsAtPosition(path, offset, {
    includeCompletionsWithInsertText: false,
    includeCompletionsForModuleExports: false,
  });
  const word = IDENTIFIER_BEFORE.exec(code.slice(0, cursor))![0];
  let start = cursor - word.length;
  let end = cursor;
  const span =
    found?.optionalReplacementSpan ?? found?.entries.find((entry) => entry.replacementSpan)?.replacementSpan;
  if (span) {
    start = Math.min(cursor, toSourceOffset(span.start, cell.insertions));
    end = Math.max(cursor, toSourceOffset(span.start + span.length, cell.insertions));
  }
  const typed = code.slice(start, cursor).toLowerCase();
  const entries = (found?.entries ?? [])
    .filter((entry) => entry.kind !== ts.ScriptElementKind.warning && !entry.name.startsWith("__cell_"))
    .filter((entry) => entry.name.toLowerCase().startsWith(typed))
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, MAX_MATCHES);
  // Names of earlier cells are imports to the compiler; what they stand for is known from their declaration.
  const declared = (entry: ts.CompletionEntry) =>
    entry.kind === ts.ScriptElementKind.alias ? compiler.declarations.get(entry.name)?.kind : undefined;
  const from = codePointOffset(code, start);
  const to = codePointOffset(code, end);
  return {
    matches: entries.map((entry) => entry.name),
    cursor_start: from,
    cursor_end: to,
    metadata: {
      // JupyterLab shows the kind of each match from this.
      _jupyter_types_experimental: entries.map((entry) => ({
        text: entry.name,
        type: declared(entry) ?? typeOf(entry.kind),
        start: from,
        end: to,
      })),
    },
  };
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
      return "constant";
    default:
      return "variable";
  }
}

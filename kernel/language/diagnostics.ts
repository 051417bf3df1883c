import ts from "typescript";
import type { ErrorContent } from "../threads.js";
import type { CellSource } from "./cell_source.js";
import { excerpt } from "./excerpt.js";
import { toSourceOffset } from "./insertions.js";
import { installAdvice } from "./install_advice.js";

// Rules of modules that do not hold in a notebook, where every cell runs as an async function:
const IGNORED = new Set([
  1309, // top-level await in a CommonJS module
  1324, // import() with a second argument and the module option
  1343, // import.meta in a CommonJS module
  1375, // top-level await in a file that is not a module
  1378, // top-level await and the module option
  1431, // top-level for await in a file that is not a module
  1432, // top-level for await and the module option
  1470, // import.meta in a CommonJS file
  2441, // names that the compiler reserves in a module
  2821, // import attributes and the module option
  2823, // import attributes and the module option
  2852, // await using outside of an async function
  2853, // top-level await using in a file that is not a module
  2854, // top-level await using and the module option
  2856, // import attributes in require calls
  2880, // import assertions
  5097, // import of a path that ends in .ts
]);
const ASSIGNMENT_TO_IMPORT = 2632;
const MODULE_NOT_FOUND = 2307;

/** Says whether the name that an assignment targets was declared with `let` or `var` by an earlier cell. */
export type IsAssignable = (name: string) => boolean;

/** The errors of a cell; warnings, suggestions and rules that do not hold in a notebook are left out. */
export function errorsOf(diagnostics: readonly ts.Diagnostic[], isAssignable: IsAssignable): ts.Diagnostic[] {
  return diagnostics.filter((diagnostic) => {
    if (diagnostic.category !== ts.DiagnosticCategory.Error || IGNORED.has(diagnostic.code)) return false;
    if (diagnostic.code !== ASSIGNMENT_TO_IMPORT) return true;
    const { file, start = 0, length = 0 } = diagnostic;
    return !file || !isAssignable(file.text.slice(start, start + length));
  });
}

/** All errors of a cell as one Jupyter error, with the lines that they point at. */
export function compileError(
  errors: readonly ts.Diagnostic[],
  cell: Pick<CellSource, "source" | "insertions">,
  label: string,
  folder: string,
): ErrorContent {
  const lines = cell.source.split("\n");
  const blocks: string[] = [];
  const seen = new Set<string>();
  for (const error of errors) {
    const start = toSourceOffset(error.start ?? 0, cell.insertions);
    const end = toSourceOffset((error.start ?? 0) + (error.length ?? 0), cell.insertions);
    const before = cell.source.slice(0, start).split("\n");
    const line = before.length;
    const column = before.at(-1)!.length;
    const text = lines[line - 1] ?? "";
    const underlined = Math.max(1, Math.min(end - start, text.length - column));
    const missing = error.code === MODULE_NOT_FOUND ? /'([^']*)'/.exec(messageOf(error))?.[1] : undefined;
    const install = missing === undefined ? undefined : installAdvice(missing, folder);
    const advice = install ? `\n${install}` : "";
    const head = `${label}:${line}:${column + 1} - error TS${error.code}: ${messageOf(error)}${advice}`;
    if (seen.has(head)) continue;
    seen.add(head);
    blocks.push(`${head}\n\n${excerpt(text, line, column + 1, "~".repeat(underlined))}`);
  }
  const heads = [...seen];
  return {
    ename: "TypeScriptError",
    evalue: heads.length > 1 ? `${heads[0]} (and ${heads.length - 1} more)` : (heads[0] ?? "unknown error"),
    traceback: blocks.join("\n\n").split("\n"),
  };
}

function messageOf(error: ts.Diagnostic): string {
  const message = ts.flattenDiagnosticMessageText(error.messageText, "\n");
  if (error.code !== ASSIGNMENT_TO_IMPORT) return message;
  const name = /'([^']*)'/.exec(message)?.[1] ?? "it";
  return `Cannot assign to '${name}' because an earlier cell declared it as a constant.`;
}

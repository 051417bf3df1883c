import ts from "typescript";
import type { CellCompiler } from "./compiler.js";
import { ROOT_CELL } from "./workspace.js";

// A long class is shown in part.
const MAX_LENGTH = 4000;

/**
 * The source of what the name at an offset stands for: as the user wrote it in a cell, or as a file declares it.
 * @param offset in the text that TypeScript sees
 */
export function definitionAt(compiler: CellCompiler, offset: number): string | undefined {
  const { workspace } = compiler;
  const path = workspace.pathOf(ROOT_CELL);
  const found = workspace.service.getDefinitionAtPosition(path, offset)?.[0];
  if (!found || found.fileName === path) return undefined;
  const module = /\/(__cell_\d+)\.ts$/.exec(found.fileName)?.[1];
  const text =
    module === undefined
      ? sliceOf(workspace.service.getProgram()?.getSourceFile(found.fileName), found)
      : statementIn(compiler.sources.get(module) ?? "", found.name);
  if (!text || text.length <= MAX_LENGTH) return text;
  return `${text.slice(0, MAX_LENGTH)}\n…`;
}

function sliceOf(file: ts.SourceFile | undefined, found: ts.DefinitionInfo): string | undefined {
  const { start, length } = found.contextSpan ?? found.textSpan;
  return file?.text.slice(start, start + length);
}

/** The statement of a cell that declares a name. */
function statementIn(source: string, name: string): string | undefined {
  const file = ts.createSourceFile("cell.ts", source, ts.ScriptTarget.Latest, true);
  const declares = (node: ts.Node): boolean => {
    if (ts.isVariableStatement(node) || ts.isVariableDeclarationList(node))
      return ts.forEachChild(node, declares) ?? false;
    const declared = (node as { name?: ts.Node }).name;
    if (!declared) return false;
    if (ts.isIdentifier(declared)) return declared.text === name;
    const isPattern = ts.isObjectBindingPattern(declared) || ts.isArrayBindingPattern(declared);
    return isPattern && declared.elements.some((each: ts.Node) => declares(each));
  };
  return file.statements.find(declares)?.getText(file);
}

import ts from "typescript";
import type { ImportRequest } from "./engine.js";
import type { Workspace } from "./workspace.js";

/**
 * The modules that a source file asks for at run time.
 * @param code what it was compiled to: imports of nothing but types are not in there
 */
export function importsOf(
  file: ts.SourceFile,
  code: string,
  path: string,
  workspace: Workspace,
): ImportRequest[] {
  const requests = new Map<string, ImportRequest>();
  const add = (literal: ts.Expression | undefined, kind: ImportRequest["kind"]) => {
    if (!literal || !ts.isStringLiteralLike(literal)) return;
    const specifier = literal.text;
    if (/^\.\/__cell_\d+$/.test(specifier)) return;
    if (kind === "declaration" && !isRequired(specifier, code)) return;
    const known = requests.get(specifier);
    if (known && (known.kind === "declaration" || kind !== "declaration")) return;
    const offset = literal.getStart(file);
    requests.set(specifier, { specifier, kind, offset, ...filesOf(specifier, path, workspace) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, "declaration");
    } else if (ts.isExternalModuleReference(node)) {
      add(node.expression, "declaration");
    } else if (ts.isCallExpression(node)) {
      if (node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], "import");
      else if (ts.isIdentifier(node.expression) && node.expression.text === "require")
        add(node.arguments[0], "require");
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...requests.values()];
}

function isRequired(specifier: string, code: string): boolean {
  return code.includes(`require(${JSON.stringify(specifier)})`) || code.includes(`require('${specifier}')`);
}

function filesOf(
  specifier: string,
  path: string,
  workspace: Workspace,
): { localFile?: string; file?: string } {
  const resolved = workspace.resolve(specifier, path);
  if (!resolved) return {};
  const { resolvedFileName: file, isExternalLibraryImport } = resolved;
  if (isExternalLibraryImport || file.includes("/node_modules/") || /\.d\.[cm]?ts$/.test(file)) return {};
  if (/\.[cm]?tsx?$/.test(file)) return { localFile: file };
  return /^\.{0,2}\//.test(specifier) ? {} : { file };
}

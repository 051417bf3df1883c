import ts from "typescript";
import { globalNames, hoistedNames, namesOfPattern } from "./declared_names.js";
import type { Insertion } from "./engine.js";
import { applyInsertions } from "./insertions.js";
import { objectLiteralIn } from "./object_literal.js";

/** The user's source with the insertions that make it a module of the notebook. */
export interface CellSource {
  /** The source of the user, untouched. */
  source: string;
  /** The source with its insertions: what TypeScript sees. */
  text: string;
  insertions: Insertion[];
  /** The names that later cells may use. */
  declared: Map<string, Declaration>;
  /** What it adds to the types of all cells: names in `declare global`, modules that it augments. */
  globals: Set<string>;
}

/** What a cell declares under a name. */
export interface Declaration {
  /** Whether later cells may assign to it. */
  assignable: boolean;
  /** As JupyterLab's completion names it: "function", "class", "variable", … */
  kind: string;
}

/** Where a name was declared by an earlier cell. */
export type NameLookup = (name: string) => string | undefined;

/**
 * Makes a cell a module: `export` goes before its top-level declarations, names of earlier cells are imported by a
 * prefix on line 1, and names that the cell imports are exported again by a suffix on the last line. Lines stay where
 * they are, and TypeScript itself then gives live bindings (`exports.x`), types, JSDoc and redeclaration across cells.
 *
 * @param names all names known so far with the module of each; those that the cell mentions are imported
 */
export function moduleOfCell(source: string, names: ReadonlyMap<string, string>): CellSource {
  // A script's first line, `#!/usr/bin/env node`, is a comment; the replacement keeps every offset.
  if (source.startsWith("#!")) return moduleOfCell(`//${source.slice(2)}`, names);
  const wrapped = objectLiteralIn(source);
  const file = ts.createSourceFile("cell.ts", source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const insertions: Insertion[] = [];
  const declared: CellSource["declared"] = new Map();
  const reexported: string[] = [];
  if (wrapped) {
    insertions.push({ offset: wrapped.start, text: "(" }, { offset: wrapped.end, text: ")" });
  } else {
    const exported = exportedByName(file);
    for (const statement of file.statements) {
      exportStatement(statement, file, exported, insertions, declared, reexported);
      for (const name of hoistedNames(statement)) {
        if (declared.has(name) || exported.has(name)) continue;
        declared.set(name, { assignable: true, kind: "variable" });
        reexported.push(name);
      }
    }
  }
  const prefix = importPrefix(source, names, declared);
  if (prefix) insertions.unshift({ offset: 0, text: prefix });
  if (reexported.length > 0) {
    // A line comment at the end would swallow the suffix, so a new line (behind all others) is taken.
    insertions.push({ offset: source.length, text: `\nexport { ${reexported.join(", ")} };` });
  }
  const globals = globalNames(file);
  return { source, text: applyInsertions(source, insertions), insertions, declared, globals };
}

function exportStatement(
  statement: ts.Statement,
  file: ts.SourceFile,
  exported: ReadonlySet<string>,
  insertions: Insertion[],
  declared: CellSource["declared"],
  reexported: string[],
): void {
  if (ts.isImportDeclaration(statement)) {
    const clause = statement.importClause;
    const names = [clause?.name, ...namesOfBindings(clause?.namedBindings)];
    for (const name of names) {
      if (!name) continue;
      declared.set(name.text, { assignable: false, kind: "module" });
      if (!exported.has(name.text)) reexported.push(name.text);
    }
    return;
  }
  if (ts.isExportDeclaration(statement)) {
    if (statement.exportClause && ts.isNamedExports(statement.exportClause)) {
      for (const element of statement.exportClause.elements)
        declared.set(element.name.text, { assignable: false, kind: "variable" });
    } else if (statement.exportClause && ts.isNamespaceExport(statement.exportClause)) {
      declared.set(statement.exportClause.name.text, { assignable: false, kind: "module" });
    }
    return;
  }
  const names = declaredNames(statement);
  if (names.length === 0) return;
  const assignable =
    ts.isVariableStatement(statement) &&
    (statement.declarationList.flags & ts.NodeFlags.BlockScoped) !== ts.NodeFlags.Const;
  for (const name of names) declared.set(name, { assignable, kind: kindOf(statement, assignable) });
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  if (modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)) return;
  if (names.some((name) => exported.has(name))) return;
  insertions.push({ offset: statement.getStart(file), text: "export " });
}

/** The names that the cell itself exports with `export { name }`; exporting them once more would be an error. */
function exportedByName(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of file.statements) {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier) continue;
    if (!statement.exportClause || !ts.isNamedExports(statement.exportClause)) continue;
    for (const element of statement.exportClause.elements)
      names.add((element.propertyName ?? element.name).text);
  }
  return names;
}

function kindOf(statement: ts.Statement, assignable: boolean): string {
  if (ts.isFunctionDeclaration(statement)) return "function";
  if (ts.isClassDeclaration(statement)) return "class";
  if (ts.isEnumDeclaration(statement)) return "enum";
  if (ts.isInterfaceDeclaration(statement)) return "interface";
  if (ts.isTypeAliasDeclaration(statement)) return "type";
  if (ts.isModuleDeclaration(statement)) return "module";
  return assignable ? "variable" : "constant";
}

function namesOfBindings(bindings: ts.NamedImportBindings | undefined): ts.Identifier[] {
  if (!bindings) return [];
  return ts.isNamespaceImport(bindings) ? [bindings.name] : bindings.elements.map((element) => element.name);
}

/** The names that a top-level statement declares; none for `using`, whose values end with the cell. */
function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    const kind = statement.declarationList.flags & ts.NodeFlags.BlockScoped;
    if (kind === ts.NodeFlags.Using || kind === ts.NodeFlags.AwaitUsing) return [];
    return statement.declarationList.declarations.flatMap((declaration) => namesOfPattern(declaration.name));
  }
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isImportEqualsDeclaration(statement)
  ) {
    return statement.name?.text ? [statement.name.text] : [];
  }
  if (ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name)) {
    return statement.flags & ts.NodeFlags.GlobalAugmentation ? [] : [statement.name.text];
  }
  return [];
}

function importPrefix(
  source: string,
  names: ReadonlyMap<string, string>,
  declared: CellSource["declared"],
): string {
  const used = identifiersOf(source);
  const byModule = new Map<string, string[]>();
  for (const [name, module] of names) {
    if (declared.has(name) || !used.has(name)) continue;
    const list = byModule.get(module);
    if (list) list.push(name);
    else byModule.set(module, [name]);
  }
  return [...byModule].map(([module, list]) => `import { ${list.join(", ")} } from "./${module}"; `).join("");
}

/** Every word of the source that could be an identifier. Too many do no harm: TypeScript drops unused imports. */
function identifiersOf(source: string): Set<string> {
  return new Set(source.match(/[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu));
}

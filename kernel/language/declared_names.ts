import ts from "typescript";

/** The names that a pattern binds. */
export function namesOfPattern(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return name.text ? [name.text] : [];
  return name.elements.flatMap((element) =>
    ts.isBindingElement(element) ? namesOfPattern(element.name) : [],
  );
}

/** The names that `var` declares inside a statement's blocks and loops; they belong to the whole cell. */
export function hoistedNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) return [];
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return;
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === 0) {
      for (const declaration of node.declarations) names.push(...namesOfPattern(declaration.name));
    }
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return names;
}

/** The names in the `declare global` blocks of a cell, and the modules that it augments. */
export function globalNames(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of file.statements) {
    if (!ts.isModuleDeclaration(statement)) continue;
    if (ts.isStringLiteral(statement.name)) names.add(`"${statement.name.text}"`);
    else if (!(statement.flags & ts.NodeFlags.GlobalAugmentation)) continue;
    if (!statement.body || !ts.isModuleBlock(statement.body)) continue;
    for (const inner of statement.body.statements) {
      if (ts.isVariableStatement(inner)) {
        for (const { name } of inner.declarationList.declarations)
          for (const each of namesOfPattern(name)) names.add(each);
      } else if ("name" in inner && ts.isIdentifier(inner.name as ts.Node)) {
        names.add((inner.name as ts.Identifier).text);
      }
    }
  }
  return names;
}

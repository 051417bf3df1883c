import ts from "typescript";

/**
 * What the compiler adds to the code of a cell, so that it can be stopped and its output keeps its place:
 *
 * - `await x` becomes `__k.r(await __k.a(x, 17))`, 17 being its place in the text: an interrupt rejects the waiting
 *   await, code of a stopped cell does not
 *   go on, and output after the await belongs to the cell that began it (without async_hooks, with which Node 20
 *   aborts when an execution is terminated).
 * - `for await (… of x)` iterates `__k.i(x, 17)`, which calls `return()` of the iterator on an interrupt.
 * - loop bodies and function bodies begin with `if (__k.f[1]) __k.stop()`, about a nanosecond.
 * - `import(x)` becomes `__k.import(x)`, which loads ES modules and local TypeScript; `import.meta` is `__k.meta`.
 * - the last expression of a cell becomes `__k.v(expression)`, its result.
 *
 * All of it comes after type checking, so that types are untouched.
 */
export function instrumentation(isCell: (fileName: string) => boolean): ts.CustomTransformers {
  return {
    before: [(context) => (file) => instrumentFile(file, context, isCell(file.fileName))],
    after: [(context) => (file) => (isCell(file.fileName) ? bindToStore(file, context) : file)],
  };
}

function instrumentFile(
  file: ts.SourceFile,
  context: ts.TransformationContext,
  cell: boolean,
): ts.SourceFile {
  const factory = context.factory;
  const last = cell ? lastExpression(file) : undefined;
  const hook = (name: string) =>
    factory.createPropertyAccessExpression(factory.createIdentifier("__k"), name);
  const call = (name: string, ...parameters: ts.Expression[]) =>
    factory.createCallExpression(hook(name), undefined, parameters);
  const placeOf = (node: ts.Node) => factory.createNumericLiteral(node.getStart(file));
  const check = () =>
    factory.createIfStatement(
      factory.createElementAccessExpression(hook("f"), 1),
      factory.createExpressionStatement(call("stop")),
    );
  const checkedBody = (body: ts.Statement) =>
    ts.isBlock(body)
      ? factory.updateBlock(body, [check(), ...body.statements])
      : factory.createBlock([check(), body], true);
  const checkedFunctionBody = <T extends ts.Block | undefined>(body: T): T => {
    if (!body || body.statements.length === 0) return body;
    const directives = body.statements.findIndex(
      (s) => !(ts.isExpressionStatement(s) && ts.isStringLiteral(s.expression)),
    );
    const at = directives < 0 ? body.statements.length : directives;
    const statements = [...body.statements.slice(0, at), check(), ...body.statements.slice(at)];
    return factory.updateBlock(body, statements) as T;
  };

  const visit = (node: ts.Node): ts.Node => {
    const visited = ts.visitEachChild(node, visit, context);
    if (ts.isAwaitExpression(visited)) {
      const waiting = factory.updateAwaitExpression(visited, call("a", visited.expression, placeOf(node)));
      return ts.setTextRange(call("r", waiting), node);
    }
    if (ts.isForOfStatement(visited)) {
      const iterated = visited.awaitModifier
        ? call("i", visited.expression, placeOf((node as ts.ForOfStatement).expression))
        : visited.expression;
      const { awaitModifier, initializer, statement } = visited;
      return factory.updateForOfStatement(
        visited,
        awaitModifier,
        initializer,
        iterated,
        checkedBody(statement),
      );
    }
    if (ts.isForStatement(visited)) {
      const { initializer, condition, incrementor, statement } = visited;
      return factory.updateForStatement(visited, initializer, condition, incrementor, checkedBody(statement));
    }
    if (ts.isForInStatement(visited)) {
      return factory.updateForInStatement(
        visited,
        visited.initializer,
        visited.expression,
        checkedBody(visited.statement),
      );
    }
    if (ts.isWhileStatement(visited)) {
      return factory.updateWhileStatement(visited, visited.expression, checkedBody(visited.statement));
    }
    if (ts.isDoStatement(visited)) {
      return factory.updateDoStatement(visited, checkedBody(visited.statement), visited.expression);
    }
    if (ts.isFunctionDeclaration(visited)) {
      const { modifiers, asteriskToken, name, typeParameters, parameters, type } = visited;
      const body = checkedFunctionBody(visited.body);
      return factory.updateFunctionDeclaration(
        visited,
        modifiers,
        asteriskToken,
        name,
        typeParameters,
        parameters,
        type,
        body,
      );
    }
    if (ts.isFunctionExpression(visited)) {
      const { modifiers, asteriskToken, name, typeParameters, parameters, type } = visited;
      const body = checkedFunctionBody(visited.body);
      return factory.updateFunctionExpression(
        visited,
        modifiers,
        asteriskToken,
        name,
        typeParameters,
        parameters,
        type,
        body,
      );
    }
    if (ts.isArrowFunction(visited) && ts.isBlock(visited.body)) {
      const { modifiers, typeParameters, parameters, type, equalsGreaterThanToken } = visited;
      const body = checkedFunctionBody(visited.body);
      return factory.updateArrowFunction(
        visited,
        modifiers,
        typeParameters,
        parameters,
        type,
        equalsGreaterThanToken,
        body,
      );
    }
    if (ts.isMethodDeclaration(visited)) {
      const { modifiers, asteriskToken, name, questionToken, typeParameters, parameters, type } = visited;
      const body = checkedFunctionBody(visited.body);
      return factory.updateMethodDeclaration(
        visited,
        modifiers,
        asteriskToken,
        name,
        questionToken,
        typeParameters,
        parameters,
        type,
        body,
      );
    }
    if (ts.isCallExpression(visited) && visited.expression.kind === ts.SyntaxKind.ImportKeyword) {
      return ts.setTextRange(
        call("import", ...visited.arguments, factory.createIdentifier("__dirname")),
        node,
      );
    }
    if (ts.isMetaProperty(visited) && visited.keywordToken === ts.SyntaxKind.ImportKeyword) {
      return call("meta", factory.createIdentifier("__filename"));
    }
    if (last && node === last && ts.isExpressionStatement(visited)) {
      return factory.updateExpressionStatement(visited, call("v", visited.expression));
    }
    return visited;
  };
  return ts.visitEachChild(file, visit, context);
}

function lastExpression(file: ts.SourceFile): ts.ExpressionStatement | undefined {
  const statements = file.statements.filter(
    (statement) => !ts.isEmptyStatement(statement) && !ts.isExportDeclaration(statement),
  );
  const last = statements.at(-1);
  return last && ts.isExpressionStatement(last) ? last : undefined;
}

/**
 * All cells share one object as `exports`. So nothing may mark or clear it: `exports.a = void 0` would destroy the old
 * value when a re-run fails, and an imported name must be a property that a later cell can declare anew.
 */
function bindToStore(file: ts.SourceFile, context: ts.TransformationContext): ts.SourceFile {
  const factory = context.factory;
  const statements: ts.Statement[] = [];
  for (const statement of file.statements) {
    if (!ts.isExpressionStatement(statement)) {
      statements.push(statement);
      continue;
    }
    if (isClearing(statement.expression)) continue;
    const definition = definedProperty(statement.expression);
    if (!definition) {
      statements.push(statement);
    } else if (definition.getter) {
      const hook = factory.createPropertyAccessExpression(factory.createIdentifier("__k"), "d");
      const name = factory.createStringLiteral(definition.name);
      statements.push(
        factory.createExpressionStatement(
          factory.createCallExpression(hook, undefined, [name, definition.getter]),
        ),
      );
    }
  }
  return factory.updateSourceFile(file, statements);
}

/** `exports.a = exports.b = void 0` */
function isClearing(expression: ts.Expression): boolean {
  let right = expression;
  let assignments = 0;
  while (ts.isBinaryExpression(right) && right.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
    const left = right.left;
    if (!ts.isPropertyAccessExpression(left) && !ts.isElementAccessExpression(left)) return false;
    if (!ts.isIdentifier(left.expression) || left.expression.text !== "exports") return false;
    right = right.right;
    assignments++;
  }
  return assignments > 0 && ts.isVoidExpression(right);
}

/** `Object.defineProperty(exports, "name", { …, get: function () { … } })`; no getter for `__esModule`. */
function definedProperty(expression: ts.Expression): { name: string; getter?: ts.Expression } | undefined {
  if (!ts.isCallExpression(expression) || !ts.isPropertyAccessExpression(expression.expression))
    return undefined;
  if (expression.expression.name.text !== "defineProperty") return undefined;
  const [target, name, descriptor] = expression.arguments;
  if (!target || !ts.isIdentifier(target) || target.text !== "exports") return undefined;
  if (!name || !ts.isStringLiteral(name) || !descriptor || !ts.isObjectLiteralExpression(descriptor))
    return undefined;
  for (const property of descriptor.properties) {
    if (ts.isPropertyAssignment(property) && ts.isIdentifier(property.name) && property.name.text === "get") {
      return { name: name.text, getter: property.initializer };
    }
  }
  return { name: name.text };
}

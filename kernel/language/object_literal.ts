import ts from "typescript";

/**
 * A cell that is one object literal, `{ a: 1 }`, would parse as a block. Like Node's own prompt, it is taken as an
 * expression when it parses as one. Comments may stand around it.
 */
export function objectLiteralIn(source: string): { start: number; end: number } | undefined {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, source);
  if (scanner.scan() !== ts.SyntaxKind.OpenBraceToken) return undefined;
  const start = scanner.getTokenStart();
  // A comment may itself end in a brace, so the last but one is tried, too.
  for (let end = source.length + 1, tries = 0; tries < 2; tries++) {
    end = source.lastIndexOf("}", end - 2) + 1;
    if (end <= start) return undefined;
    if (isOnlyTrivia(source.slice(end)) && isObjectLiteral(source.slice(start, end))) return { start, end };
  }
  return undefined;
}

function isOnlyTrivia(text: string): boolean {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, text);
  return scanner.scan() === ts.SyntaxKind.EndOfFileToken;
}

function isObjectLiteral(text: string): boolean {
  const file = ts.createSourceFile("cell.ts", `(${text})`, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS);
  const errors = (file as unknown as { parseDiagnostics: unknown[] }).parseDiagnostics;
  const [statement] = file.statements;
  if (errors.length > 0 || file.statements.length !== 1 || !ts.isExpressionStatement(statement!))
    return false;
  const { expression } = statement;
  return ts.isParenthesizedExpression(expression) && ts.isObjectLiteralExpression(expression.expression);
}

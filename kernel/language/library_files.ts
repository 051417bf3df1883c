import ts from "typescript";

/**
 * What the compiler reads beside the cells: the standard library, `@types` and packages. Parsed once, and kept in the
 * startup snapshot, with which the first cell need not wait a second for them.
 */
export class LibraryFiles {
  readonly registry = ts.createDocumentRegistry();
  readonly snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();
}

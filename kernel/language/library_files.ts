import ts from "typescript";

/**
 * What the compiler reads beside the cells: the standard library, `@types` and packages. Parsed once, and kept in the
 * startup snapshot, with which the first cell need not wait a second for them.
 */
export class LibraryFiles {
  readonly registry = ts.createDocumentRegistry();
  /** Resolving the imports of @types/node again for each program took two thirds of a cell's compilation. */
  readonly resolvedInPackages = new Map<string, ts.ResolvedModuleFull>();
  /** Versions of cells, counted for all compilers that share the registry: it takes equal ones for equal texts. */
  cellVersion = 0;
  readonly snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();
}

import { readFileSync, statSync } from "node:fs";
import ts from "typescript";
import type { ImportRequest, LocalModule } from "./engine.js";
import { instrumentation } from "./instrument.js";
import type { Workspace } from "./workspace.js";

/** The module specifiers of a source text: imports, dynamic imports of a literal, `require` of a literal. */
export function importsOf(text: string, file: string, workspace: Workspace): ImportRequest[] {
  const specifiers = new Set(
    ts.preProcessFile(text, true, true).importedFiles.map((entry) => entry.fileName),
  );
  return [...specifiers].map((specifier) => {
    const resolved = workspace.resolve(specifier, file);
    return resolved && isLocalTypeScript(resolved)
      ? { specifier, localFile: resolved.resolvedFileName }
      : { specifier };
  });
}

function isLocalTypeScript({
  resolvedFileName: file,
  isExternalLibraryImport,
}: ts.ResolvedModuleFull): boolean {
  return (
    /\.(ts|tsx|mts|cts)$/.test(file) &&
    !/\.d\.(ts|mts|cts)$/.test(file) &&
    !isExternalLibraryImport &&
    !file.includes("/node_modules/")
  );
}

/**
 * Compiles the local TypeScript files that cells import, directly or through each other. A file is compiled again
 * when it has changed, and gets a new version when a file that it imports has changed.
 */
export class LocalModules {
  readonly #compiled = new Map<string, { stamp: string; module: Omit<LocalModule, "version"> }>();

  constructor(readonly workspace: Workspace) {}

  /** The files behind these imports, dependencies first. */
  collect(imports: readonly ImportRequest[]): LocalModule[] {
    const collected = new Map<string, LocalModule>();
    const visiting = new Set<string>();
    const visit = (file: string): void => {
      if (visiting.has(file)) return; // known already, or a cycle
      visiting.add(file);
      const { module } = this.#compile(file);
      for (const { localFile } of module.imports) if (localFile) visit(localFile);
      collected.set(file, { ...module, version: this.#stampsBelow(file).join("\n") });
    };
    for (const { localFile } of imports) if (localFile) visit(localFile);
    return [...collected.values()];
  }

  /** The stamps of a file and of all that it imports, directly or not. */
  #stampsBelow(file: string, found = new Map<string, string>()): string[] {
    const { stamp, module } = this.#compile(file);
    found.set(file, stamp);
    for (const { localFile } of module.imports) {
      if (localFile && !found.has(localFile)) this.#stampsBelow(localFile, found);
    }
    return [...found.values()];
  }

  #compile(file: string): { stamp: string; module: Omit<LocalModule, "version"> } {
    const { mtimeMs, size } = statSync(file);
    const stamp = `${file}:${mtimeMs}:${size}`;
    const known = this.#compiled.get(file);
    if (known?.stamp === stamp) return known;
    const source = readFileSync(file, "utf8");
    const output = ts.transpileModule(source, {
      fileName: file,
      compilerOptions: { ...this.workspace.options, types: undefined, lib: undefined },
      transformers: instrumentation(() => false),
    });
    const module = {
      file,
      source,
      code: output.outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, ""),
      map: output.sourceMapText ?? "",
      imports: importsOf(source, file, this.workspace),
    };
    const entry = { stamp, module };
    this.#compiled.set(file, entry);
    return entry;
  }
}

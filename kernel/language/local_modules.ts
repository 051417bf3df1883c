import { readFileSync, statSync } from "node:fs";
import ts from "typescript";
import { compileError } from "./diagnostics.js";
import type { CompileResult, ImportRequest, LocalModule } from "./engine.js";
import { importsOf } from "./imports.js";
import { instrumentation } from "./instrument.js";
import type { Workspace } from "./workspace.js";

type Compiled = Omit<LocalModule, "version">;

/** A local file does not parse. */
export class LocalSyntaxError extends Error {
  constructor(readonly result: Extract<CompileResult, { ok: false }>) {
    super(result.error.evalue);
  }
}

/**
 * Compiles the local TypeScript files that cells import, directly or through each other. A file is compiled again
 * when it has changed, and gets a new version when a file that it imports has changed.
 */
export class LocalModules {
  readonly #compiled = new Map<string, { stamp: string; module: Compiled }>();

  constructor(readonly workspace: Workspace) {}

  /**
   * The files behind these imports, dependencies first.
   * @throws LocalSyntaxError
   */
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

  /** The stamps of a file and of all that it imports, directly or not: an import may also lead to another file now. */
  #stampsBelow(file: string, found = new Map<string, string>()): string[] {
    const { stamp, module } = this.#compile(file);
    found.set(file, stamp);
    for (const { localFile } of module.imports) {
      if (localFile && !found.has(localFile)) this.#stampsBelow(localFile, found);
    }
    return [...found.values()];
  }

  #compile(file: string): { stamp: string; module: Compiled } {
    const { mtimeMs, size } = statSync(file);
    const stamp = `${file}:${mtimeMs}:${size}:${this.workspace.optionsVersion}`;
    const known = this.#compiled.get(file);
    if (known?.stamp === stamp) {
      known.module.imports = this.#importsOf(known.module);
      return known;
    }
    const source = readFileSync(file, "utf8");
    const output = ts.transpileModule(source, {
      fileName: file,
      reportDiagnostics: true,
      compilerOptions: {
        ...this.workspace.options,
        types: undefined,
        lib: undefined,
        paths: undefined,
        declaration: false,
      },
      transformers: instrumentation(() => false),
    });
    const errors = (output.diagnostics ?? []).filter((diagnostic) => diagnostic.file);
    if (errors.length > 0) {
      const cell = { source, text: source, insertions: [] };
      throw new LocalSyntaxError({ ok: false, error: compileError(errors, cell, file, file) });
    }
    const module: Compiled = {
      file,
      source,
      code: output.outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, ""),
      map: output.sourceMapText ?? "",
      imports: [],
    };
    module.imports = this.#importsOf(module);
    const entry = { stamp, module };
    this.#compiled.set(file, entry);
    return entry;
  }

  #importsOf({ file, source, code }: Compiled): ImportRequest[] {
    const parsed = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
    return importsOf(parsed, code, file, this.workspace);
  }
}

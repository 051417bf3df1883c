import { dirname } from "node:path";
import type ts from "typescript";
import { type CellSource, type Declaration, moduleOfCell } from "./cell_source.js";
import { compileError, errorsOf } from "./diagnostics.js";
import type { CompiledCell, CompileResult, LocalModule } from "./engine.js";
import { importsOf } from "./imports.js";
import type { LibraryFiles } from "./library_files.js";
import { LocalModules, LocalSyntaxError } from "./local_modules.js";
import { magicError } from "./magics.js";
import { ROOT_CELL, Workspace } from "./workspace.js";

/*
 * What comes from tslab (1.0.22) and why the rest does not.
 *
 * From tslab: its public display API, types and all (`import * as tslab from "tslab"` in a cell; see
 * runtime/tslab.ts), so that its notebooks run unchanged; and its rule for incomplete input (see completeness.ts).
 * Not its converter: it is bound to a fork of TypeScript 5.0 (no `using`, no standard decorators, no ES2023 library),
 * has no source map, gives a function a stale copy of a `let` that another cell assigns, and refuses `export`, local
 * `.ts` files and ES modules. Not its executor: it prints errors as text, loses every declaration of a cell that
 * throws, and keeps a Proxy in every write to a top-level variable (25 s for 1e8 of them, here 1 s). Not its protocol
 * layer: it drops output beyond 512 messages in a tick and is deaf while a cell computes.
 */

const MAX_REMEMBERED = 50;

/** Compiles the cells of one notebook. Each is a module; the latest declaration of a name wins. */
export class CellCompiler {
  readonly workspace: Workspace;
  readonly localModules: LocalModules;
  /** Name to the module of the cell that declared it last. */
  readonly names = new Map<string, string>();
  /** What each name stands for. */
  readonly declarations = new Map<string, Declaration>();
  /** Module of a cell to what the user wrote. */
  readonly sources = new Map<string, string>();
  /** Module of a cell to the modules that its types rest on. */
  readonly #dependencies = new Map<string, string[]>();
  /** Module of a cell to what it adds to the types of all cells. */
  readonly #globals = new Map<string, ReadonlySet<string>>();
  /** Cells that declare and import nothing, by their source: run again, they need not be compiled again. */
  readonly #compiled = new Map<string, { state: string; cell: CompiledCell }>();
  #declarationCount = 0;
  #count = 0;

  /**
   * @param folder the notebook's folder
   * @param packageRoot the package that the kernel belongs to
   * @param files what other compilers of this process have read already
   */
  constructor(folder: string, packageRoot: string, files: LibraryFiles) {
    this.workspace = new Workspace(folder, packageRoot, files);
    this.localModules = new LocalModules(this.workspace);
  }

  /**
   * Checks and compiles a cell and registers what it declares, so that declarations made before an exception or an
   * interrupt are known to later cells.
   * @param label what errors call the cell, such as `Cell 4`
   */
  compile(source: string, label: string): CompileResult {
    this.workspace.project.refresh();
    const known = this.#compiled.get(source);
    if (known?.state === this.state) {
      return { ok: true, cell: { ...known.cell, file: this.#nextFile(), label, warnings: [] } };
    }
    const cell = moduleOfCell(source, this.names);
    const before = this.workspace.globalCells;
    // A global declared anew replaces that of the earlier cell.
    const replaced = (module: string) =>
      [...cell.globals].some((name) => this.#globals.get(module)?.has(name));
    if (cell.globals.size > 0) this.workspace.globalCells = before.filter((module) => !replaced(module));
    const { result, types } = this.#emit(cell, label);
    if (!result.ok) {
      this.workspace.globalCells = before;
      return result;
    }
    const module = `__cell_${this.#count}`;
    if (cell.globals.size > 0) {
      this.workspace.globalCells = [...this.workspace.globalCells, module];
      this.#globals.set(module, cell.globals);
    }
    if (cell.declared.size === 0 && cell.globals.size === 0) {
      if (result.cell.imports.length === 0) this.#remember(source, result.cell);
    } else {
      this.#declarationCount++;
      // Later cells see the types that were found, not the code: inferring them anew for each cell would take longer
      // with every cell, and a chain of some hundred cells would overflow the checker's stack.
      const text = types ?? cell.text;
      this.workspace.setCell(module, text);
      this.#dependencies.set(module, cellModulesIn(text));
      this.sources.set(module, source);
      for (const [name, declaration] of cell.declared) {
        this.names.set(name, module);
        this.declarations.set(name, declaration);
      }
      this.#prune();
    }
    return result;
  }

  /** Changes with everything that the meaning of a cell may depend on, but for files that it imports. */
  get state(): string {
    return `${this.#declarationCount}:${this.workspace.project.version}`;
  }

  #remember(source: string, cell: CompiledCell): void {
    this.#compiled.delete(source);
    this.#compiled.set(source, { state: this.state, cell });
    if (this.#compiled.size > MAX_REMEMBERED) this.#compiled.delete(this.#compiled.keys().next().value!);
  }

  #nextFile(): string {
    return `${dirname(this.workspace.pathOf(ROOT_CELL))}/__cell_${++this.#count}.ts`;
  }

  /** Compiles again what another compiler, which has died, had compiled; `count` of its requests were made. */
  replay(cells: readonly { code: string; label: string }[], count: number): void {
    for (const { code, label } of cells) this.compile(code, label);
    // Names of scripts are not used twice: functions of the earlier ones are still alive.
    this.#count = Math.max(this.#count, count);
  }

  /** Compiles one expression for its value. */
  compileExpression(source: string): CompileResult {
    this.workspace.project.refresh();
    const text = `(${source}\n)`;
    return this.#emit(moduleOfCell(text, this.names), "Expression").result;
  }

  /** The compiled cell, and the declarations of its types when they can be written down. */
  #emit(cell: CellSource, label: string): { result: CompileResult; types?: string } {
    const { workspace } = this;
    const path = workspace.pathOf(ROOT_CELL);
    workspace.setCell(ROOT_CELL, cell.text);
    const isAssignable = (name: string) => this.declarations.get(name)?.assignable ?? false;
    const syntactic = workspace.service.getSyntacticDiagnostics(path) as ts.Diagnostic[];
    let errors = errorsOf(syntactic, isAssignable);
    // Meaning is checked only when the text parses: what follows a syntax error is noise.
    if (errors.length === 0) errors = errorsOf(semanticDiagnostics(workspace, path), isAssignable);
    if (errors.length > 0) {
      const error = magicError(cell.source, label) ?? compileError(errors, cell, label, dirname(path));
      return { result: { ok: false, error } };
    }
    const output = workspace.service.getEmitOutput(path);
    const code = output.outputFiles.find((file) => file.name.endsWith(".js"))?.text ?? "";
    const map = output.outputFiles.find((file) => file.name.endsWith(".map"))?.text ?? "";
    const imports = importsOf(workspace.service.getProgram()!.getSourceFile(path)!, code, path, workspace);
    let localModules: LocalModule[];
    try {
      localModules = this.localModules.collect(imports);
    } catch (error) {
      if (error instanceof LocalSyntaxError) return { result: error.result };
      throw error;
    }
    const compiled: CompiledCell = {
      file: this.#nextFile(),
      label,
      code: code.replace(/\n\/\/# sourceMappingURL=.*\s*$/, ""),
      map,
      source: cell.source,
      insertions: cell.insertions,
      imports,
      localModules,
      warnings: workspace.project.takeProblems(),
    };
    const types = output.outputFiles.find((file) => file.name.endsWith(".d.ts"))?.text;
    return { result: { ok: true, cell: compiled }, ...(types !== undefined && { types }) };
  }

  /** Forgets cells that no name and no other cell's types lead to, so that memory follows what is alive. */
  #prune(): void {
    const alive = new Set<string>();
    const visit = (module: string) => {
      if (alive.has(module)) return;
      alive.add(module);
      for (const dependency of this.#dependencies.get(module) ?? []) visit(dependency);
    };
    for (const module of this.names.values()) visit(module);
    for (const module of this.workspace.globalCells) visit(module);
    for (const module of [...this.#dependencies.keys()]) {
      if (alive.has(module)) continue;
      this.#dependencies.delete(module);
      this.#globals.delete(module);
      this.sources.delete(module);
      this.workspace.removeCell(module);
    }
  }
}

function cellModulesIn(text: string): string[] {
  return [...new Set([...text.matchAll(/["']\.\/(__cell_\d+)["']/g)].map((match) => match[1]!))];
}

/** The service's own method would add what keeps a type from being written to a declaration file. */
function semanticDiagnostics(workspace: Workspace, path: string): readonly ts.Diagnostic[] {
  const program = workspace.service.getProgram()!;
  return program.getSemanticDiagnostics(program.getSourceFile(path));
}

import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";
import { GLOBALS_DECLARATION } from "./globals.js";
import { instrumentation } from "./instrument.js";
import type { LibraryFiles } from "./library_files.js";

/** The name under which the cell being compiled is known: one fixed root halves the time of a compilation. */
export const ROOT_CELL = "__cell__";

const IS_CELL = /(^|[\\/])__cell_[^\\/]*\.ts$/;

/**
 * The TypeScript project that a notebook is: virtual modules, one for each cell, in the notebook's folder, with the
 * packages and files reachable from there. Wraps one LanguageService.
 */
export class Workspace {
  readonly service: ts.LanguageService;
  readonly #folder: string;
  readonly #cells = new Map<string, { text: string; version: number; snapshot: ts.IScriptSnapshot }>();
  readonly #globalsFile: string;
  #version = 0;

  /**
   * @param folder the notebook's folder
   * @param packageRoot the package that the kernel belongs to; its dependencies and itself resolve from anywhere
   */
  constructor(
    folder: string,
    readonly packageRoot: string,
    readonly files: LibraryFiles,
  ) {
    this.#folder = folder.replaceAll("\\", "/");
    this.#globalsFile = this.pathOf("__cell_globals.d");
    this.setCell(ROOT_CELL, "");
    this.service = ts.createLanguageService(this.#host(), files.registry);
  }

  get options(): ts.CompilerOptions {
    return this.#options;
  }

  pathOf(module: string): string {
    return `${this.#folder}/${module}.ts`;
  }

  setCell(module: string, text: string): void {
    const snapshot = ts.ScriptSnapshot.fromString(text);
    this.#cells.set(this.pathOf(module), { text, version: ++this.#version, snapshot });
  }

  removeCell(module: string): void {
    this.#cells.delete(this.pathOf(module));
  }

  /** Resolves a module specifier as seen from a file of the notebook. */
  resolve(specifier: string, from: string): ts.ResolvedModuleFull | undefined {
    // Node's own modules come first, so nothing on the disk is looked for; their types are ambient.
    if (isBuiltin(specifier)) return undefined;
    const found = ts.resolveModuleName(specifier, from, this.#options, this.#resolutionHost).resolvedModule;
    if (found || !/^(persimmon-lab|tslab)(\/|$)/.test(specifier)) return found;
    const own = `${this.packageRoot.replaceAll("\\", "/")}/__kernel__.ts`;
    return ts.resolveModuleName(specifier, own, this.#options, this.#resolutionHost).resolvedModule;
  }

  readonly #options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts", "lib.esnext.decorators.d.ts"],
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    allowImportingTsExtensions: true,
    rewriteRelativeImportExtensions: false,
    resolveJsonModule: true,
    esModuleInterop: true,
    preserveConstEnums: true,
    strict: false,
    allowUnreachableCode: true,
    allowUnusedLabels: true,
    skipLibCheck: true,
    sourceMap: true,
    newLine: ts.NewLineKind.LineFeed,
    types: ["node"],
    allowJs: false,
  };

  readonly #resolutionHost: ts.ModuleResolutionHost = {
    fileExists: (path) => this.#cells.has(path) || ts.sys.fileExists(path),
    readFile: (path) => this.#cells.get(path)?.text ?? ts.sys.readFile(path),
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    realpath: (path) => ts.sys.realpath?.(path) ?? path,
    getCurrentDirectory: () => this.#folder,
    useCaseSensitiveFileNames: ts.sys.useCaseSensitiveFileNames,
  };

  #host(): ts.LanguageServiceHost {
    const libFolder = dirname(ts.getDefaultLibFilePath(this.#options));
    const globals = ts.ScriptSnapshot.fromString(GLOBALS_DECLARATION);
    const { snapshots } = this.files;
    const version = (path: string) =>
      this.#cells.get(path)?.version.toString() ??
      ts.sys.getModifiedTime?.(path)?.getTime().toString() ??
      "0";
    // Files of packages are read once; only what lies outside node_modules is looked at again.
    const cachedVersion = new Map<string, string>();
    const versionOf = (path: string) => {
      if (!path.includes("/node_modules/")) return version(path);
      const known = cachedVersion.get(path);
      if (known !== undefined) return known;
      const read = version(path);
      cachedVersion.set(path, read);
      return read;
    };
    return {
      getCompilationSettings: () => ({ ...this.#options, typeRoots: this.#typeRoots() }),
      getScriptFileNames: () => [this.#globalsFile, this.pathOf(ROOT_CELL)],
      getScriptVersion: (path) => (path === this.#globalsFile ? "1" : versionOf(path)),
      getScriptSnapshot: (path) => {
        if (path === this.#globalsFile) return globals;
        const cell = this.#cells.get(path);
        if (cell) return cell.snapshot;
        const current = versionOf(path);
        const known = snapshots.get(path);
        if (known?.version === current) return known.snapshot;
        const text = ts.sys.readFile(path);
        if (text === undefined) return undefined;
        const snapshot = ts.ScriptSnapshot.fromString(text);
        snapshots.set(path, { version: current, snapshot });
        return snapshot;
      },
      getCurrentDirectory: () => this.#folder,
      getDefaultLibFileName: () => join(libFolder, "lib.es2023.d.ts"),
      useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
      directoryExists: ts.sys.directoryExists,
      getDirectories: ts.sys.getDirectories,
      realpath: ts.sys.realpath,
      readDirectory: ts.sys.readDirectory,
      readFile: (path, encoding) => this.#cells.get(path)?.text ?? ts.sys.readFile(path, encoding),
      fileExists: (path) => path === this.#globalsFile || this.#cells.has(path) || ts.sys.fileExists(path),
      getCustomTransformers: () => instrumentation((name) => IS_CELL.test(name)),
      resolveModuleNameLiterals: (literals, containingFile) =>
        literals.map((literal) => ({ resolvedModule: this.resolve(literal.text, containingFile) })),
    };
  }

  #roots: string[] | undefined;

  /** Where `@types` packages lie: beside the notebook, or else beside the kernel. */
  #typeRoots(): string[] {
    if (this.#roots) return this.#roots;
    const roots = ts.getEffectiveTypeRoots({}, { getCurrentDirectory: () => this.#folder }) ?? [];
    // Without @types/node the globals of Node are unknown to the compiler; cells still run.
    roots.push(...(ts.getEffectiveTypeRoots({}, { getCurrentDirectory: () => this.packageRoot }) ?? []));
    this.#roots = roots;
    return roots;
  }
}

import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";
import { GLOBALS_DECLARATION } from "./globals.js";
import { instrumentation } from "./instrument.js";
import type { LibraryFiles } from "./library_files.js";
import { ProjectOptions } from "./project_options.js";

/** The name under which the cell being compiled is known: one fixed root halves the time of a compilation. */
export const ROOT_CELL = "__cell__";

const IS_CELL_SPECIFIER = /^\.\/__cell_\d+$/;
const IS_CELL = /(^|[\\/])__cell_[^\\/]*\.ts$/;

/** Parts of the host that TypeScript asks for and does not declare. */
interface InternalHost {
  hasInvalidatedResolutions(path: string): boolean;
  /** Only the package.json files in it are used; without it each is read again for every file of a package. */
  getModuleResolutionCache(): ts.ModuleResolutionCache;
}

/**
 * The TypeScript project that a notebook is: virtual modules, one for each cell, in the notebook's folder, with the
 * packages and files reachable from there. Wraps one LanguageService.
 */
export class Workspace {
  readonly service: ts.LanguageService;
  readonly project: ProjectOptions;
  /** Cells whose types hold everywhere, because of a `declare global` or the like. */
  globalCells: readonly string[] = [];
  readonly #folder: string;
  readonly #cells = new Map<string, { text: string; version: number; snapshot: ts.IScriptSnapshot }>();
  readonly #globalsFile: string;

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
    this.project = new ProjectOptions(this.#folder);
    this.#globalsFile = this.pathOf("__cell_globals.d");
    this.setCell(ROOT_CELL, "");
    this.service = ts.createLanguageService(this.#host(), files.registry);
  }

  get options(): ts.CompilerOptions {
    return this.project.options;
  }

  /** Changes with the options. */
  get optionsVersion(): number {
    return this.project.version;
  }

  pathOf(module: string): string {
    return `${this.#folder}/${module}.ts`;
  }

  setCell(module: string, text: string): void {
    const snapshot = ts.ScriptSnapshot.fromString(text);
    this.#cells.set(this.pathOf(module), { text, version: ++this.files.cellVersion, snapshot });
  }

  removeCell(module: string): void {
    this.#cells.delete(this.pathOf(module));
  }

  /** Resolves a module specifier as seen from a file of the notebook. */
  resolve(specifier: string, from: string): ts.ResolvedModuleFull | undefined {
    if (isBuiltin(specifier)) return undefined; // declared by @types/node
    if (IS_CELL_SPECIFIER.test(specifier)) return this.#cellModule(specifier);
    const inPackage = from.includes("/node_modules/");
    const key = `${this.project.version}\0${dirname(from)}\0${specifier}`;
    const known = inPackage ? this.files.resolvedInPackages.get(key) : undefined;
    if (known) return known;
    const found = this.#resolve(specifier, from);
    // Only what was found is kept: a package may be installed while the kernel runs.
    if (found && inPackage) this.files.resolvedInPackages.set(key, found);
    return found;
  }

  #resolve(specifier: string, from: string): ts.ResolvedModuleFull | undefined {
    const found = ts.resolveModuleName(specifier, from, this.options, this.#resolutionHost).resolvedModule;
    if (found || !/^(persimmon-lab|tslab)(\/|$)/.test(specifier)) return found;
    const own = `${this.packageRoot.replaceAll("\\", "/")}/__kernel__.ts`;
    return ts.resolveModuleName(specifier, own, this.options, this.#resolutionHost).resolvedModule;
  }

  #cellModule(specifier: string): ts.ResolvedModuleFull | undefined {
    const resolvedFileName = this.pathOf(specifier.slice(2));
    if (!this.#cells.has(resolvedFileName)) return undefined;
    return { resolvedFileName, extension: ts.Extension.Ts, isExternalLibraryImport: false };
  }

  readonly #resolutionHost: ts.ModuleResolutionHost = {
    fileExists: (path) => this.#cells.has(path) || ts.sys.fileExists(path),
    readFile: (path) => this.#cells.get(path)?.text ?? ts.sys.readFile(path),
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    realpath: (path) => ts.sys.realpath?.(path) ?? path,
    getCurrentDirectory: () => this.#folder,
    useCaseSensitiveFileNames: ts.sys.useCaseSensitiveFileNames,
  };

  #host(): ts.LanguageServiceHost & InternalHost {
    // Files with imports that were not found: a package may have been installed since.
    const unresolved = new Set<string>();
    const libFolder = dirname(ts.getDefaultLibFilePath(this.options));
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
    const packageFiles = ts.createModuleResolutionCache(this.#folder, (name) => name);
    return {
      getCompilationSettings: () => this.#settings(),
      getScriptFileNames: () => [
        this.#globalsFile,
        this.pathOf(ROOT_CELL),
        ...this.globalCells.map((module) => this.pathOf(module)),
      ],
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
      resolveModuleNameLiterals: (literals, containingFile) => {
        unresolved.delete(containingFile);
        return literals.map(({ text }) => {
          const resolvedModule = this.resolve(text, containingFile);
          if (!resolvedModule) unresolved.add(containingFile);
          return { resolvedModule };
        });
      },
      getModuleResolutionCache: () => packageFiles,
      hasInvalidatedResolutions: (path) => unresolved.has(path) && !path.includes("/node_modules/"),
    };
  }

  #cachedSettings: { version: number; settings: ts.CompilerOptions } | undefined;

  #settings(): ts.CompilerOptions {
    const { version } = this.project;
    if (this.#cachedSettings?.version !== version) {
      this.#cachedSettings = { version, settings: { ...this.options, typeRoots: this.#typeRoots() } };
    }
    return this.#cachedSettings.settings;
  }

  /** Where `@types` packages lie: beside the notebook, or else beside the kernel. */
  #typeRoots(): string[] {
    // Without @types/node the globals of Node are unknown to the compiler; cells still run.
    const rootsOf = (folder: string, options: ts.CompilerOptions) =>
      ts.getEffectiveTypeRoots(options, { getCurrentDirectory: () => folder }) ?? [];
    return [...rootsOf(this.#folder, this.options), ...rootsOf(this.packageRoot, {})];
  }
}

import ts from "typescript";
import { stampOf } from "../file_stamp.js";
import { EMITTED_LIBRARIES, librariesOfNode } from "./libraries.js";

/** What a notebook needs whatever its tsconfig.json says. */
const FIXED: ts.CompilerOptions = {
  // What Node 20 runs without help from the compiler; above it, `using` and decorators would be left as they are.
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.CommonJS,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  allowImportingTsExtensions: true,
  rewriteRelativeImportExtensions: false,
  resolveJsonModule: true,
  esModuleInterop: true,
  preserveConstEnums: true,
  allowUnreachableCode: true,
  allowUnusedLabels: true,
  skipLibCheck: true,
  sourceMap: true,
  // Later cells are checked against the declarations of earlier ones.
  declaration: true,
  newLine: ts.NewLineKind.LineFeed,
};
const DEFAULTS: ts.CompilerOptions = {
  strict: false,
  lib: librariesOfNode(),
  types: ["node"],
  allowJs: false,
};

/** Options of tsconfig.json that mean something to a notebook: how code is checked and where modules lie. */
const HONOURED = [
  "strict",
  "alwaysStrict",
  "noImplicitAny",
  "noImplicitThis",
  "strictBindCallApply",
  "strictBuiltinIteratorReturn",
  "strictFunctionTypes",
  "strictNullChecks",
  "strictPropertyInitialization",
  "useUnknownInCatchVariables",
  "exactOptionalPropertyTypes",
  "noImplicitOverride",
  "noImplicitReturns",
  "noFallthroughCasesInSwitch",
  "noPropertyAccessFromIndexSignature",
  "noUncheckedIndexedAccess",
  "noUncheckedSideEffectImports",
  "experimentalDecorators",
  "emitDecoratorMetadata",
  "useDefineForClassFields",
  "allowJs",
  "allowSyntheticDefaultImports",
  "allowUmdGlobalAccess",
  "paths",
  "baseUrl",
  "pathsBasePath",
  "rootDirs",
  "types",
  "typeRoots",
  "customConditions",
  "resolvePackageJsonExports",
  "resolvePackageJsonImports",
  "moduleSuffixes",
  "preserveSymlinks",
] as const;

// Errors of tsconfig.json that do not matter here: it names no files, or options that are on their way out.
const IGNORED = new Set([18002, 18003, 5101, 5107, 5095, 5098, 5109, 5110]);

/** The compiler's options for the notebooks of a folder: our own, with what the folder's tsconfig.json asks for. */
export class ProjectOptions {
  readonly #file: string;
  #stamp: string | undefined;
  #options: ts.CompilerOptions = { ...DEFAULTS, ...FIXED };
  #problems: string[] = [];
  /** Grows when the options change. */
  version = 0;

  constructor(readonly folder: string) {
    this.#file = `${folder}/tsconfig.json`;
    this.refresh();
  }

  get options(): ts.CompilerOptions {
    return this.#options;
  }

  /** What is wrong with tsconfig.json; each problem is told once. */
  takeProblems(): string[] {
    return this.#problems.splice(0);
  }

  /** Reads tsconfig.json again when it has changed. */
  refresh(): void {
    const stamp = stampOf(this.#file);
    if (stamp === this.#stamp) return;
    const first = this.#stamp === undefined;
    this.#stamp = stamp;
    if (first && !stamp) return;
    this.version++;
    this.#problems = [];
    this.#options = { ...DEFAULTS, ...(stamp ? this.#read() : {}), ...FIXED };
  }

  #read(): ts.CompilerOptions {
    const { config, error } = ts.readConfigFile(this.#file, ts.sys.readFile);
    // Listing the folder's files would cost time in a large one, and a notebook uses what it imports.
    const host: ts.ParseConfigHost = {
      useCaseSensitiveFileNames: ts.sys.useCaseSensitiveFileNames,
      fileExists: ts.sys.fileExists,
      readFile: ts.sys.readFile,
      readDirectory: () => [],
    };
    const parsed = ts.parseJsonConfigFileContent(config ?? {}, host, this.folder, undefined, this.#file);
    const errors = [...(error ? [error] : []), ...parsed.errors].filter(({ code }) => !IGNORED.has(code));
    this.#problems = errors.map((each) => this.#describe(each));
    const honoured: ts.CompilerOptions = {};
    for (const name of HONOURED) {
      if (parsed.options[name] !== undefined) Object.assign(honoured, { [name]: parsed.options[name] });
    }
    const { lib, target, types } = parsed.options;
    if (lib) honoured.lib = [...new Set([...lib, ...EMITTED_LIBRARIES])];
    if (types && !types.includes("node")) honoured.types = ["node", ...types];
    // Fields of classes are assigned, not defined, by what older targets emit; code may rest on it.
    if (target !== undefined && target < ts.ScriptTarget.ES2022) honoured.useDefineForClassFields ??= false;
    return honoured;
  }

  #describe({ file, start, messageText, code }: ts.Diagnostic): string {
    const message = ts.flattenDiagnosticMessageText(messageText, "\n");
    const place = file && start !== undefined ? file.getLineAndCharacterOfPosition(start) : undefined;
    const where = place ? `:${place.line + 1}:${place.character + 1}` : "";
    return `${this.#file}${where} - TS${code}: ${message} Cells run without this setting.`;
  }
}

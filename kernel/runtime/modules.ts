import { createRequire, isBuiltin } from "node:module";
import { dirname, extname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ImportRequest, LocalModule } from "../language/engine.js";
import { Importer, isKernelPackage } from "./importer.js";
import { assertInstalled } from "./installed.js";
import { type LocalFiles, readJson } from "./local_files.js";
import { LocalTypeScript, type RunModule } from "./local_typescript.js";

const CELL = /^\.\/__cell_\d+$/;

/** Called with an error of loading a module, and what asked for the module. */
export type OnFailure = (error: unknown, request: ImportRequest) => void;

/**
 * Loads what cells import: packages of both kinds, `node:` modules, JSON, local files. What a declaration imports is
 * loaded before the cell runs, because its compiled code asks for it with a synchronous `require`.
 */
export class Modules {
  /** What `require` gives for a specifier in a folder. */
  readonly #preloaded = new Map<string, { value: unknown } | { error: unknown }>();
  /** The files that specifiers stand for where Node would not know: local TypeScript, aliases of tsconfig.json. */
  readonly #targets = new Map<string, ImportRequest>();
  readonly #requires = new Map<string, NodeJS.Require>();
  readonly #importer: Importer;
  readonly #typeScript: LocalTypeScript;

  /**
   * @param packageRoot the kernel's own package, where `persimmon-lab` is found when the notebook's folder has none
   * @param own modules that the kernel itself provides, by specifier
   * @param store the declarations of all cells
   */
  constructor(
    packageRoot: string,
    readonly own: ReadonlyMap<string, unknown>,
    readonly store: object,
    run: RunModule,
    readonly files: LocalFiles,
  ) {
    this.#importer = new Importer(packageRoot);
    this.#typeScript = new LocalTypeScript(
      (module, exports) => {
        const cjs = { exports };
        return run(module, { exports, require: this.requireFor(dirname(module.file)), module: cjs }).then(
          () => cjs.exports,
        );
      },
      (imports, folder, chain) => this.#prepare(imports, folder, chain),
    );
  }

  /** Loads the imports of a cell of this folder. */
  async preload(
    imports: readonly ImportRequest[],
    localModules: readonly LocalModule[],
    folder: string,
    onFailure: OnFailure,
  ): Promise<void> {
    for (const module of localModules) this.#typeScript.add(module);
    await this.#prepare(imports, folder, [], onFailure);
  }

  /** The synchronous `require` of code in this folder. */
  requireFor(folder: string): NodeJS.Require {
    const known = this.#requires.get(folder);
    if (known) return known;
    const native = createRequire(join(folder, "__cell__.js"));
    const load = (specifier: string): unknown => {
      if (CELL.test(specifier)) return this.store;
      if (this.own.has(specifier)) return this.own.get(specifier);
      const key = keyOf(specifier, folder);
      const preloaded = this.#preloaded.get(key);
      if (preloaded && "error" in preloaded) throw preloaded.error;
      if (preloaded) return preloaded.value;
      try {
        const path = this.#targets.get(key)?.file ?? specifier;
        assertInstalled(path, folder, "MODULE_NOT_FOUND");
        return isPath(path) ? this.files.require(native.resolve(path), native) : native(path);
      } catch (error) {
        throw this.#importer.readable(error, folder);
      }
    };
    const complete = Object.assign(load, native) as unknown as NodeJS.Require;
    this.#requires.set(folder, complete);
    return complete;
  }

  /** A dynamic `import()` of code in this folder: the module's namespace. */
  async import(specifier: string, folder: string): Promise<unknown> {
    if (this.own.has(specifier)) return this.own.get(specifier);
    const target = this.#targets.get(keyOf(specifier, folder));
    if (target?.localFile) return this.#typeScript.load(target.localFile);
    const path = target?.file ?? (isPath(specifier) ? resolve(folder, specifier) : undefined);
    if (path === undefined) return this.#importer.import(specifier, folder);
    if (this.#typeScript.has(path)) return this.#typeScript.load(path);
    if (extname(path) === ".json") return { default: readJson(path) };
    return this.#importer.import(this.files.urlOf(path), folder);
  }

  /** Loads what declarations import and notes where to find the rest. */
  async #prepare(
    imports: readonly ImportRequest[],
    folder: string,
    chain: readonly string[],
    onFailure?: OnFailure,
  ): Promise<void> {
    for (const request of imports) {
      const { specifier, kind, localFile } = request;
      const key = keyOf(specifier, folder);
      if (CELL.test(specifier) || this.own.has(specifier)) continue;
      this.#targets.set(key, request);
      this.#preloaded.delete(key);
      // A `require` cannot wait, so local TypeScript is loaded ahead for it, and fails only where it is asked for.
      const ahead = kind === "declaration" || (kind === "require" && localFile !== undefined);
      if (!ahead) continue;
      try {
        const value = localFile
          ? await this.#typeScript.load(localFile, chain)
          : await this.#load(request, folder);
        this.#preloaded.set(key, { value });
      } catch (error) {
        if (kind === "require") {
          this.#preloaded.set(key, { error });
          continue;
        }
        onFailure?.(error, request);
        throw error;
      }
    }
  }

  /** A module in the shape that code compiled to CommonJS expects. */
  async #load(request: ImportRequest, folder: string): Promise<unknown> {
    const specifier = request.file ?? request.specifier;
    const require = createRequire(join(folder, "__cell__.js"));
    if (isBuiltin(specifier)) return require(specifier);
    if (!isKernelPackage(specifier)) assertInstalled(specifier, folder, "ERR_MODULE_NOT_FOUND");
    let file: string;
    try {
      file = require.resolve(specifier);
    } catch {
      return this.#importer.commonJs(specifier, folder); // `exports` for import only, or not there
    }
    if (!isPath(specifier)) return this.#importer.load(file, pathToFileURL(file).href, folder, require);
    if (extname(file) === ".json") return readJson(file);
    const url = this.files.urlOf(file);
    return this.#importer.load(file, url, folder, require);
  }
}

function keyOf(specifier: string, folder: string): string {
  return `${folder}\0${specifier}`;
}

function isPath(specifier: string): boolean {
  return /^\.{1,2}(\/|$)/.test(specifier) || isAbsolute(specifier);
}

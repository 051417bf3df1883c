import { readFileSync, statSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, extname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import type { ImportRequest, LocalModule } from "../language/engine.js";

const LOADER_WARNING = "USE_MAIN_CONTEXT_DEFAULT_LOADER";

type Require = (specifier: string) => unknown;

/** Runs the compiled code of a local TypeScript file. */
export type RunModule = (
  module: LocalModule,
  bindings: { exports: object; require: Require; module: { exports: object } },
) => Promise<void>;

/**
 * Loads what cells import: packages of both kinds, `node:` modules, JSON, local files. ES modules are loaded before
 * the cell runs, because its compiled code asks for them with a synchronous `require`.
 */
export class Modules {
  readonly #preloaded = new Map<string, unknown>();
  readonly #local = new Map<string, { version: string; exports: object }>();
  readonly #importers = new Map<string, (specifier: string) => Promise<object>>();
  readonly #wrapped = new WeakMap<object, object>();
  readonly #loadedAt = new Map<string, number>();
  readonly #requires = new Map<string, NodeJS.Require>();

  /**
   * @param packageRoot the kernel's own package, where `persimmon-lab` is found when the notebook's folder has none
   * @param own modules that the kernel itself provides, by specifier
   * @param store the declarations of all cells
   */
  constructor(
    readonly packageRoot: string,
    readonly own: ReadonlyMap<string, unknown>,
    readonly store: object,
    readonly run: RunModule,
  ) {
    // Node warns of the loader constant that every import uses; the reader of a notebook has no use for that.
    const { emitWarning } = process;
    process.emitWarning = ((warning: unknown, ...rest: never[]) => {
      if (!String(warning).includes(LOADER_WARNING)) emitWarning.call(process, warning as string, ...rest);
    }) as typeof emitWarning;
  }

  /** Loads the imports of a cell of this folder. */
  async preload(
    imports: readonly ImportRequest[],
    localModules: readonly LocalModule[],
    folder: string,
  ): Promise<void> {
    for (const module of localModules) await this.#loadLocal(module);
    for (const request of imports) await this.#preloadOne(request, folder);
  }

  /** The synchronous `require` of code in this folder. */
  requireFor(folder: string): NodeJS.Require {
    const known = this.#requires.get(folder);
    if (known) return known;
    const native = createRequire(join(folder, "__cell__.js"));
    const load = (specifier: string): unknown => {
      if (/^\.\/__cell_\d+$/.test(specifier)) return this.store;
      if (this.own.has(specifier)) return this.own.get(specifier);
      const preloaded = this.#preloaded.get(keyOf(specifier, folder));
      if (preloaded !== undefined) return preloaded;
      return native(specifier);
    };
    const complete = Object.assign(load, native) as unknown as NodeJS.Require;
    this.#requires.set(folder, complete);
    return complete;
  }

  /** A dynamic `import()` of code in this folder: the module's namespace. */
  async import(specifier: string, folder: string): Promise<unknown> {
    if (this.own.has(specifier)) return this.own.get(specifier);
    const preloaded = this.#preloaded.get(keyOf(specifier, folder));
    const path = isPath(specifier) ? resolve(folder, specifier) : undefined;
    if (path && (this.#local.has(path) || this.#local.has(`${path}.ts`)) && preloaded) return preloaded;
    if (path && extname(path) === ".json") return { default: readJson(path) };
    return this.#importFrom(specifier, folder);
  }

  async #preloadOne({ specifier, localFile }: ImportRequest, folder: string): Promise<void> {
    const key = keyOf(specifier, folder);
    if (/^\.\/__cell_\d+$/.test(specifier) || this.own.has(specifier)) return;
    if (localFile) this.#preloaded.set(key, this.#local.get(localFile)?.exports);
    else this.#preloaded.set(key, await this.#load(specifier, folder));
  }

  async #loadLocal(module: LocalModule): Promise<void> {
    if (this.#local.get(module.file)?.version === module.version) return;
    const exports = {};
    this.#local.set(module.file, { version: module.version, exports });
    const folder = dirname(module.file);
    try {
      for (const request of module.imports) await this.#preloadOne(request, folder);
      await this.run(module, { exports, require: this.requireFor(folder), module: { exports } });
    } catch (error) {
      this.#local.delete(module.file); // the next cell tries again
      throw error;
    }
  }

  async #load(specifier: string, folder: string): Promise<unknown> {
    if (isBuiltin(specifier)) return createRequire(join(folder, "__cell__.js"))(specifier);
    const require = createRequire(join(folder, "__cell__.js"));
    let file: string;
    try {
      file = require.resolve(specifier);
    } catch {
      return this.#asCommonJs(await this.#importFrom(specifier, folder)); // `exports` for import only, or not there
    }
    if (extname(file) === ".json") return isPath(specifier) ? readJson(file) : require(specifier);
    const changed = isPath(specifier) && this.#hasChanged(file);
    if (isEsModule(file)) {
      const url = pathToFileURL(file);
      if (isPath(specifier)) url.searchParams.set("changed", String(statSync(file).mtimeMs));
      return this.#asCommonJs(await this.#importFrom(url.href, folder));
    }
    if (changed) delete require.cache[file];
    return require(file);
  }

  /** `import()` as seen from a folder, which Node offers only to code that lies there. */
  async #importFrom(specifier: string, folder: string): Promise<object> {
    try {
      return await this.#importer(folder)(specifier);
    } catch (error) {
      const own = /^persimmon-lab(\/|$)/.test(specifier);
      if (!own || (error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
      return this.#importer(this.packageRoot)(specifier);
    }
  }

  #importer(folder: string): (specifier: string) => Promise<object> {
    let importer = this.#importers.get(folder);
    if (!importer) {
      importer = new vm.Script("(specifier) => import(specifier)", {
        filename: join(folder, "__import__.js"),
        importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      }).runInThisContext() as (specifier: string) => Promise<object>;
      this.#importers.set(folder, importer);
    }
    return importer;
  }

  /** The namespace of an ES module in the shape that code compiled to CommonJS expects. */
  #asCommonJs(namespace: object): object {
    const known = this.#wrapped.get(namespace);
    if (known) return known;
    const wrapped = {};
    Object.defineProperty(wrapped, "__esModule", { value: true });
    for (const name of Object.keys(namespace)) {
      Object.defineProperty(wrapped, name, {
        enumerable: true,
        get: () => (namespace as Record<string, unknown>)[name],
      });
    }
    this.#wrapped.set(namespace, wrapped);
    return wrapped;
  }

  #hasChanged(file: string): boolean {
    const { mtimeMs } = statSync(file);
    const before = this.#loadedAt.get(file);
    this.#loadedAt.set(file, mtimeMs);
    return before !== undefined && before !== mtimeMs;
  }
}

function keyOf(specifier: string, folder: string): string {
  return `${folder}\0${specifier}`;
}

function isPath(specifier: string): boolean {
  return specifier.startsWith("./") || specifier.startsWith("../") || isAbsolute(specifier);
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"));
}

function isEsModule(file: string): boolean {
  const extension = extname(file);
  if (extension === ".mjs") return true;
  if (extension !== ".js") return false;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    try {
      return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).type === "module";
    } catch {
      if (folder === dirname(folder)) return false;
    }
  }
}

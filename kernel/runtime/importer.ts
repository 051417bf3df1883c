import { readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import vm from "node:vm";
import { assertInstalled } from "./installed.js";

const LOADER_WARNING = "USE_MAIN_CONTEXT_DEFAULT_LOADER";
// A CommonJS `require` of an ES module: with top-level await, or where Node does not offer it.
const NEEDS_IMPORT = new Set(["ERR_REQUIRE_ASYNC_MODULE", "ERR_REQUIRE_ESM"]);

/** `import()` as seen from a folder, which Node offers only to code that lies there. */
export class Importer {
  readonly #importers = new Map<string, (specifier: string) => Promise<object>>();
  readonly #wrapped = new WeakMap<object, object>();

  /** @param packageRoot where `persimmon-lab` is found when the notebook's folder has none */
  constructor(readonly packageRoot: string) {
    // Node warns of the loader constant that every import uses; the reader of a notebook has no use for that.
    const { emitWarning } = process;
    process.emitWarning = ((warning: unknown, ...rest: never[]) => {
      if (!String(warning).includes(LOADER_WARNING)) emitWarning.call(process, warning as string, ...rest);
    }) as typeof emitWarning;
  }

  /** The namespace of a module. */
  async import(specifier: string, folder: string): Promise<object> {
    const own = isKernelPackage(specifier);
    if (!own) assertInstalled(specifier, folder, "ERR_MODULE_NOT_FOUND");
    try {
      return await this.#importerOf(folder)(specifier);
    } catch (error) {
      if (!own || (error as NodeJS.ErrnoException)?.code !== "ERR_MODULE_NOT_FOUND")
        throw this.readable(error, folder);
      return this.#importerOf(this.packageRoot)(specifier);
    }
  }

  /** A module found at `file`, in the shape that code compiled to CommonJS expects. */
  async load(file: string, url: string, folder: string, require: NodeJS.Require): Promise<unknown> {
    if (isEsModule(file)) return this.commonJs(url, folder);
    try {
      return require(file);
    } catch (error) {
      if (!NEEDS_IMPORT.has(String((error as NodeJS.ErrnoException)?.code))) throw error;
      return this.commonJs(url, folder);
    }
  }

  /** The namespace of an ES module in the shape that code compiled to CommonJS expects. */
  async commonJs(specifier: string, folder: string): Promise<object> {
    const namespace = await this.import(specifier, folder);
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

  /** An error without the names of the kernel's own scripts, which nobody can find. */
  readable(error: unknown, folder: string): unknown {
    const failure = error as NodeJS.ErrnoException;
    if (!["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(String(failure?.code))) return error;
    const message = failure.message
      .replace(/ imported from .*__import__\.js$/, ` in ${folder}`)
      .replace(/\nRequire stack:\n- .*__cell__\.js$/, ` in ${folder}`);
    if (message !== failure.message) {
      const { stack } = failure;
      failure.stack = stack?.replace(failure.message, () => message);
      failure.message = message;
    }
    return error;
  }

  #importerOf(folder: string): (specifier: string) => Promise<object> {
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
}

/** The package that the kernel belongs to can be imported from anywhere. */
export function isKernelPackage(specifier: string): boolean {
  return /^persimmon-lab(\/|$)/.test(specifier);
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

import { dirname } from "node:path";
import type { ImportRequest, LocalModule } from "../language/engine.js";

/** Runs the compiled code of a local TypeScript file. */
export type RunModule = (
  module: LocalModule,
  bindings: { exports: object; require: NodeJS.Require; module: { exports: object } },
) => Promise<void>;

interface Loaded {
  version: string;
  exports: object;
  loading: Promise<void>;
}

/** The local TypeScript files that cells import. A file runs once for each version of it and its dependencies. */
export class LocalTypeScript {
  readonly #sources = new Map<string, LocalModule>();
  readonly #loaded = new Map<string, Loaded>();

  /**
   * @param run runs a module and gives its exports
   * @param prepare loads the imports of a module; `chain` are the files that wait for it
   */
  constructor(
    readonly run: (module: LocalModule, exports: object) => Promise<object>,
    readonly prepare: (
      imports: readonly ImportRequest[],
      folder: string,
      chain: readonly string[],
    ) => Promise<void>,
  ) {}

  /** Notes what a file compiles to now. */
  add(module: LocalModule): void {
    this.#sources.set(module.file, module);
  }

  has(file: string): boolean {
    return this.#sources.has(file);
  }

  /** The exports of a file; in a cycle, what is there so far, as in Node. */
  async load(file: string, chain: readonly string[] = []): Promise<object> {
    const module = this.#sources.get(file)!;
    const known = this.#loaded.get(file);
    if (known?.version === module.version) {
      if (!chain.includes(file)) await known.loading;
      return known.exports;
    }
    const loaded: Loaded = { version: module.version, exports: {}, loading: Promise.resolve() };
    this.#loaded.set(file, loaded);
    loaded.loading = this.#run(module, loaded, [...chain, file]);
    await loaded.loading;
    return loaded.exports;
  }

  async #run(module: LocalModule, loaded: Loaded, chain: readonly string[]): Promise<void> {
    try {
      await this.prepare(module.imports, dirname(module.file), chain);
      loaded.exports = await this.run(module, loaded.exports);
    } catch (error) {
      this.#loaded.delete(module.file); // the next import tries again
      throw error;
    }
  }
}

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { stampOf } from "../file_stamp.js";

// All functions `require` share one cache.
const NODE = createRequire(import.meta.url);

/** Local JavaScript and JSON, which is loaded again when it has changed since it was loaded. */
export class LocalFiles {
  readonly #loaded = new Map<string, { stamp: string; changes: number }>();

  /** `require` of a local file. */
  require(file: string, require: NodeJS.Require): unknown {
    if (extname(file) === ".json") return readJson(file);
    this.#changesOf(file);
    return require(file);
  }

  /** The address for `import()`. Node keeps a module for each address, so a changed file gets a new one. */
  urlOf(file: string): string {
    const url = pathToFileURL(file);
    const changes = this.#changesOf(file);
    if (changes > 0) url.searchParams.set("changed", String(changes));
    return url.href;
  }

  #changesOf(file: string): number {
    const stamp = stampOf(file);
    const known = this.#loaded.get(file);
    if (known?.stamp === stamp) return known.changes;
    const changes = known ? known.changes + 1 : 0;
    this.#loaded.set(file, { stamp, changes });
    if (changes > 0) delete NODE.cache[file];
    return changes;
  }
}

/** The value of a JSON file. */
export function readJson(file: string): unknown {
  const text = readFileSync(file, "utf8").replace(/^\ufeff/, "");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`${file} is not valid JSON: ${(error as Error).message}`);
  }
}

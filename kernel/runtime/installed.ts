import { existsSync, readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, join } from "node:path";

/**
 * Throws what Node throws when a package is nowhere to be found, without asking Node: it remembers for good that a
 * package.json did not exist, and would not find the package after `npm install`.
 * @param code what the error bears: that of `require` or that of `import`
 */
export function assertInstalled(
  specifier: string,
  folder: string,
  code: "MODULE_NOT_FOUND" | "ERR_MODULE_NOT_FOUND",
): void {
  if (/^(\.|\/|#|[a-zA-Z]+:)/.test(specifier) || /^[a-zA-Z]:/.test(specifier) || isBuiltin(specifier)) return;
  const [first, second] = specifier.split("/");
  const name = first!.startsWith("@") ? `${first}/${second ?? ""}` : first!;
  const places = createRequire(join(folder, "__cell__.js")).resolve.paths(specifier) ?? [];
  if (places.some((place) => existsSync(join(place, name))) || isOwnName(name, folder)) return;
  // A file of this name in a folder of packages is a module, too, for `require`.
  if (
    places.some((place) =>
      [".js", ".json", ".node", ".cjs"].some((end) => existsSync(join(place, name + end))),
    )
  )
    return;
  const what = code === "MODULE_NOT_FOUND" ? "module" : "package";
  throw Object.assign(new Error(`Cannot find ${what} '${specifier}' in ${folder}`), { code });
}

/** A package may import itself by its name. */
function isOwnName(name: string, folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    try {
      return JSON.parse(readFileSync(join(at, "package.json"), "utf8")).name === name;
    } catch {
      if (at === dirname(at)) return false;
    }
  }
}

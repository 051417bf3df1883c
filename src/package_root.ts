import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of package.json above this file: the same from the sources and from the compiled files in dist/. */
export const packageRoot = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

function findPackageRoot(folder: string): string {
  const parent = dirname(folder);
  // At the root of the file system there is nothing above: what is looked for below it is then reported as missing.
  return parent === folder || existsSync(join(folder, "package.json")) ? folder : findPackageRoot(parent);
}

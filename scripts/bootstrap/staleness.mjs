import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";

/**
 * Every file below the given files and folders, sorted; what does not exist is left out.
 * @param {string[]} paths
 * @param {(path: string) => boolean} [accept]
 * @returns {string[]}
 */
export function listFiles(paths, accept = () => true) {
  /** @type {string[]} */
  const found = [];
  for (const path of paths) {
    if (!existsSync(path)) {
      continue;
    }
    if (!statSync(path).isDirectory()) {
      found.push(path);
      continue;
    }
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) {
        found.push(...listFiles([child], accept));
      } else if (accept(child)) {
        found.push(child);
      }
    }
  }
  return found.sort();
}

/**
 * A name for a set of files: changes when one is added, removed or renamed.
 * @param {string[]} files
 * @param {string} base
 * @returns {string}
 */
export function listDigest(files, base) {
  const names = files.map((file) => relative(base, file).split(sep).join("/"));
  return createHash("sha256").update(names.join("\n")).digest("hex");
}

/**
 * @param {string} file
 * @returns {string} SHA-256 of its bytes in hex
 */
export function fileDigest(file) {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/**
 * Why an output must be built again, or undefined when it need not be. The stamp's time is the moment when the last
 * successful build STARTED, so a file that was saved while the build ran is seen by the next one.
 * @param {{ files: string[], base: string, stamp: string, outputs: string[] }} build
 * @returns {"no output" | "never finished" | "files added or removed" | `${string} is newer` | undefined}
 */
export function whyStale({ files, base, stamp, outputs }) {
  if (outputs.some((output) => !existsSync(output))) {
    return "no output";
  }
  if (!existsSync(stamp)) {
    return "never finished";
  }
  if (readFileSync(stamp, "utf8").trim() !== listDigest(files, base)) {
    return "files added or removed";
  }
  const built = statSync(stamp).mtimeMs;
  const newer = files.find((file) => statSync(file).mtimeMs > built);
  return newer === undefined ? undefined : `${relative(base, newer)} is newer`;
}

/**
 * Records that a build of these files, started at `startedAt`, succeeded.
 * @param {{ files: string[], base: string, stamp: string }} build
 * @param {Date} startedAt
 */
export function writeStamp({ files, base, stamp }, startedAt) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${listDigest(files, base)}\n`);
  utimesSync(stamp, startedAt, startedAt);
}

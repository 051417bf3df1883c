import { existsSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { root, tsc } from "./paths.mjs";
import { step } from "./progress.mjs";
import { runLogged } from "./run.mjs";
import { listFiles, whyStale, writeStamp } from "./staleness.mjs";

const OUTPUT = /\.(js|d\.ts|js\.map|d\.ts\.map)$/;

/**
 * Compiled files whose source is gone: a deleted module must not go on being importable.
 * @param {string[]} outputs paths below dist/, relative to it
 * @param {(source: string) => boolean} exists whether a path relative to the repository exists
 * @returns {string[]}
 */
export function orphanedOutputs(outputs, exists) {
  return outputs.filter((output) => OUTPUT.test(output) && !exists(output.replace(OUTPUT, ".ts")));
}

/** Compiles src/ and kernel/ into dist/ when a source is newer than the last compilation. */
export async function ensureTypeScript() {
  const sources = listFiles([join(root, "src"), join(root, "kernel")], (path) => path.endsWith(".ts"));
  const files = [...sources, join(root, "tsconfig.json"), join(root, "package-lock.json")];
  const dist = join(root, "dist");
  const build = { files, base: root, stamp: join(dist, ".compiled"), outputs: [dist] };
  if (whyStale(build) === undefined) {
    return;
  }
  const started = new Date();
  rmSync(build.stamp, { force: true });
  await step("compiling TypeScript", () =>
    runLogged(process.execPath, [tsc, "-p", "tsconfig.json", "--pretty", "false"], {
      log: "tsc",
      failure: "the TypeScript sources do not compile",
    }),
  );
  const outputs = listFiles([dist]).map((path) => relative(dist, path));
  for (const orphan of orphanedOutputs(outputs, (source) => existsSync(join(root, source)))) {
    rmSync(join(dist, orphan));
  }
  writeStamp(build, started);
}

import { chmodSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { runAttached } from "./run.mjs";
import { listFiles } from "./staleness.mjs";

/** @returns {string[]} every C++ and CUDA file of the project */
export function nativeSources() {
  return listFiles([join(root, "native"), join(root, "test", "native")], (path) =>
    /\.(h|cc|cpp|cu|cuh)$/.test(path),
  );
}

/**
 * Checks or rewrites the C++ files with the clang-format that npm installed: versions differ in what they make of the
 * same settings, so the machine's own would not do.
 * @param {{ write: boolean }} options
 * @returns {Promise<number>} exit code, 0 when every file is as it should be
 */
export async function clangFormat({ write }) {
  const files = nativeSources();
  const { clangFormatPath } = createRequire(import.meta.url)("clang-format-node");
  if (files.length === 0 || !existsSync(clangFormatPath)) {
    process.stderr.write(
      `clang-format: ${files.length === 0 ? "no C++ files" : "none for this platform, skipped"}\n`,
    );
    return 0;
  }
  // Its postinstall script sets this bit, and install scripts may be switched off.
  chmodSync(clangFormatPath, 0o755);
  return runAttached(clangFormatPath, [
    ...(write ? ["-i"] : ["--dry-run", "-Werror"]),
    "--style=file",
    ...files,
  ]);
}

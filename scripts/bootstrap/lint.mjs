import { join } from "node:path";
import { clangFormat } from "./clang-format.mjs";
import { root, tsc } from "./paths.mjs";
import { runAttached } from "./run.mjs";

/** @typedef {{ name: string, run: () => Promise<number | "skipped"> }} Check an exit code, 0 where all is well */

const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");

/** @type {Check[]} Checks of form and types; each returns an exit code. */
export const lintChecks = [
  { name: "biome check", run: () => runAttached(process.execPath, [biome, "check"]) },
  { name: "clang-format", run: () => clangFormat({ write: false }) },
  {
    name: "types of tests and scripts",
    run: () => runAttached(process.execPath, [tsc, "-p", "tsconfig.test.json", "--pretty", "false"]),
  },
];

/** @returns {Promise<number>} exit code */
export async function format() {
  const codes = [
    await runAttached(process.execPath, [biome, "check", "--write"]),
    await clangFormat({ write: true }),
  ];
  return Math.max(...codes);
}

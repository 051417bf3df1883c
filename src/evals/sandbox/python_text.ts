import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../package_root.js";

// The Python files stay in src/: the compiler copies none.
const folder = join(packageRoot, "src", "evals", "sandbox");

/** What the interpreter runs around a program. */
export const bootstrap = readFileSync(join(folder, "bootstrap.py"), "utf8");

/** A program that fails where the sandbox lets something through; see its first lines. */
export const probe = readFileSync(join(folder, "probe.py"), "utf8");

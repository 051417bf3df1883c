import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of the repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Where a step's complete output goes, `<name>.log` each. */
export const logDirectory = join(root, "build", "logs");

/** Our own Python environment; it exists only where the machine has no JupyterLab or no CMake. */
export const venv = join(root, ".venv");

/** Where the kernelspec goes when JupyterLab is the user's own, so that nothing is written into it unasked. */
export const privateJupyterPrefix = join(root, ".jupyter");

/**
 * The TypeScript compiler by its own path: `node_modules/.bin/tsc` may be the older compiler that tslab brings.
 */
export const tsc = join(root, "node_modules", "typescript", "bin", "tsc");

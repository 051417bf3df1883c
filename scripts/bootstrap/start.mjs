import { join } from "node:path";
import { jupyterEnvironment } from "./jupyter.mjs";
import { root } from "./paths.mjs";
import { runAttached } from "./run.mjs";

/**
 * Opens JupyterLab on notebooks/.
 * @param {import("./jupyter.mjs").JupyterInstallation} installation
 * @param {string[]} args passed on to `jupyter lab`
 * @returns {Promise<number>} its exit code
 */
export function startLab({ jupyter, prefix }, args) {
  const asRoot = process.getuid?.() === 0 && !args.includes("--allow-root");
  if (asRoot) {
    // Jupyter refuses to run as root without being told; in a container root is the usual user.
    process.stderr.write("running as root: starting JupyterLab with --allow-root\n");
  }
  const extra = asRoot ? ["--allow-root"] : [];
  return runAttached(jupyter, ["lab", join(root, "notebooks"), ...extra, ...args], {
    env: jupyterEnvironment(prefix),
  });
}

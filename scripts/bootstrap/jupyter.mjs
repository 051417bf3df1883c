import { existsSync } from "node:fs";
import { delimiter, join, sep } from "node:path";
import { BootstrapError } from "./missing-tool.mjs";
import { privateJupyterPrefix, root, venv } from "./paths.mjs";
import { step } from "./progress.mjs";
import { installInVenv, inVenv } from "./python.mjs";
import { query, runLogged, which } from "./run.mjs";

/** Our renderer extension is a federated one for JupyterLab 4; another major version would not load it. */
const JUPYTERLAB = "jupyterlab>=4.2,<5";

/** @typedef {{ jupyter: string, prefix: string }} JupyterInstallation */

/**
 * Whether this is what `jupyter lab --version` prints for a JupyterLab that our extension is made for.
 * @param {string | undefined} version such as `4.4.1`
 * @returns {boolean}
 */
export function isJupyterLabSupported(version) {
  const match = /^(\d+)\.(\d+)/.exec(version?.trim() ?? "");
  return match !== null && Number(match[1]) === 4 && Number(match[2]) >= 2;
}

/**
 * Finds `jupyter lab` on the PATH, or installs it into our own `.venv`.
 * @returns {Promise<JupyterInstallation>} the `jupyter` program, and the prefix that our kernelspec goes to: the
 *   environment when it is ours, and a folder of this repository when it is the user's
 */
export async function ensureJupyter() {
  const onPath = which("jupyter");
  if (onPath !== undefined && isJupyterLabSupported(query(onPath, ["lab", "--version"]))) {
    return { jupyter: onPath, prefix: onPath.startsWith(`${venv}${sep}`) ? venv : privateJupyterPrefix };
  }
  const own = inVenv("jupyter");
  if (own === undefined || !isJupyterLabSupported(query(own, ["lab", "--version"]))) {
    await installInVenv([JUPYTERLAB], "to run JupyterLab");
  }
  const jupyter = inVenv("jupyter");
  if (jupyter === undefined) {
    throw new BootstrapError(`pip installed jupyterlab, but ${join(venv, "bin", "jupyter")} is not there`);
  }
  return { jupyter, prefix: venv };
}

/**
 * Writes our kernelspec and the renderer extension below the prefix. Each time, because the kernelspec names this
 * Node and this folder by their full paths, and either may have changed.
 * @param {string} prefix
 */
export async function installKernel(prefix) {
  const main = join(root, "dist", "kernel", "install-main.js");
  if (!existsSync(main)) {
    throw new BootstrapError(`the kernel's installer is missing: ${main} (run \`npm run build\`)`);
  }
  await step("installing the kernel", () =>
    runLogged(process.execPath, [main, "install", "--prefix", prefix], {
      log: "kernel-install",
      failure: "the kernel could not be installed",
    }),
  );
}

/**
 * The variables with which Jupyter finds our kernel before any other of the same name.
 * @param {string} prefix
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {{ JUPYTER_PATH: string }}
 */
export function jupyterEnvironment(prefix, environment = process.env) {
  const own = join(prefix, "share", "jupyter");
  const others = environment.JUPYTER_PATH;
  return { JUPYTER_PATH: others === undefined || others === "" ? own : `${own}${delimiter}${others}` };
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import { BootstrapError, missingToolMessage } from "./missing-tool.mjs";
import { venv } from "./paths.mjs";
import { step } from "./progress.mjs";
import { query, runLogged, which } from "./run.mjs";

/**
 * Whether this is what `python --version` prints for a Python that current JupyterLab runs on (3.9 or newer).
 * @param {string | undefined} version such as `Python 3.11.2`
 * @returns {boolean}
 */
export function isPythonSupported(version) {
  const match = /^Python (\d+)\.(\d+)/.exec(version ?? "");
  return match !== null && (Number(match[1]) > 3 || (Number(match[1]) === 3 && Number(match[2]) >= 9));
}

/** @returns {string | undefined} a Python that is new enough */
function findPython() {
  return ["python3", "python"].find(
    (name) => which(name) !== undefined && isPythonSupported(query(name, ["--version"])),
  );
}

/**
 * Installs Python packages into our own `.venv`, which is made first when it is not there.
 * @param {string[]} packages
 * @param {string} purpose for the message when Python is missing, such as "to run JupyterLab"
 */
export async function installInVenv(packages, purpose) {
  const venvPython = join(venv, "bin", "python");
  // pip inside tells a whole environment from one whose making was interrupted.
  if (query(venvPython, ["-m", "pip", "--version"]) === undefined) {
    const python = findPython();
    if (python === undefined) {
      throw new BootstrapError(missingToolMessage("python", purpose));
    }
    await step("making a Python environment in .venv", () =>
      runLogged(python, ["-m", "venv", "--clear", venv], {
        log: "venv",
        failure: missingToolMessage("venv", purpose),
      }),
    );
  }
  await step(`installing ${packages.join(", ")} into .venv`, () =>
    runLogged(
      venvPython,
      ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", ...packages],
      {
        log: "pip",
        // pip asks an index that does not answer five more times for each package, which without a network is many
        // minutes before it says so (or, where packages come from a folder, before it has them).
        env: { PIP_RETRIES: process.env.PIP_RETRIES ?? "1" },
        failure: `pip could not install ${packages.join(", ")}; it needs a reachable Python package index`,
      },
    ),
  );
}

/**
 * A program of our own `.venv`, or undefined.
 * @param {string} name
 * @returns {string | undefined}
 */
export function inVenv(name) {
  const path = join(venv, "bin", name);
  return existsSync(path) ? path : undefined;
}

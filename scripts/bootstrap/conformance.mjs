import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { resultDirectory } from "./checks.mjs";
import { jupyterEnvironment } from "./jupyter.mjs";
import { BootstrapError } from "./missing-tool.mjs";
import { expectSomeRun } from "./named-tests.mjs";
import { ensureOfficialSuite } from "./official-suite.mjs";
import { root } from "./paths.mjs";
import { query, runAttached, which } from "./run.mjs";

const folder = join(root, "test", "kernel", "conformance");
const unittests = join(root, "scripts", "run_unittests.py");

/**
 * The Pythons that may be the one that a `jupyter` program runs on, best first: what its first line names (for a
 * program that pip installed into a user's folder no Python lies next to it), then those next to it (behind a shim the
 * first line names a shell).
 * @param {string} jupyter full path of the program
 * @param {string} text its content
 * @param {(name: string) => string | undefined} [find] finds a program on the PATH
 * @returns {string[]}
 */
export function pythonCandidates(jupyter, text, find = which) {
  const [, program = "", argument] = /^#!\s*(\S+)(?:[ \t]+(\S+))?/.exec(text) ?? [];
  const named = program.endsWith("/env") ? find(argument ?? "") : program;
  const neighbours = ["python", "python3"].map((name) => join(dirname(jupyter), name));
  return [named ?? "", ...neighbours].filter((path) => /python[\d.]*$/.test(path));
}

/**
 * @param {string} jupyter full path of the program
 * @returns {string} the Python that has its packages
 */
function pythonOf(jupyter) {
  const candidates = pythonCandidates(jupyter, readFileSync(jupyter, "utf8"));
  const found = candidates.find((python) => query(python, ["-c", "import jupyter_client"]) !== undefined);
  if (found === undefined) {
    throw new BootstrapError(
      `no Python that has jupyter_client belongs to ${jupyter}; tried: ${candidates.join(", ") || "none"}`,
    );
  }
  return found;
}

/**
 * Checks the kernel from outside, as Jupyter's clients see it: first from Python, one kernel for each group of tests,
 * then through a Jupyter server with JupyterLab's own client.
 * @param {import("./jupyter.mjs").JupyterInstallation} installation
 * @param {string[]} args names of tests, or parts of them; none for all
 * @returns {Promise<number>} exit code
 */
export async function runConformance({ jupyter, prefix }, args) {
  const python = pythonOf(jupyter);
  const report = join(resultDirectory, "conformance.json");
  const env = { ...jupyterEnvironment(prefix), ...(await ensureOfficialSuite(python)) };
  rmSync(report, { force: true });
  const clients = await runAttached(python, [unittests, folder, "--json", report, ...args], { env });
  // Adds to the report, and runs also where tests before it have failed.
  const services = await runAttached(process.execPath, [
    join(folder, "services.mjs"),
    ...["--jupyter", jupyter, "--prefix", prefix, "--json", report],
    ...args,
  ]);
  if (!clients && !services) expectSomeRun([report], args);
  return clients || services;
}

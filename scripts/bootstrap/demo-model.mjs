import { readFileSync } from "node:fs";
import { join } from "node:path";
import { resultDirectory } from "./checks.mjs";
import { BootstrapError } from "./missing-tool.mjs";
import { expectSomeRun } from "./named-tests.mjs";
import { root } from "./paths.mjs";
import { installInVenv, inVenv } from "./python.mjs";
import { query, runAttached, which } from "./run.mjs";

const folder = join(root, "scripts", "demo-model");
const unittests = join(root, "scripts", "run_unittests.py");

/**
 * The lines of a requirements file that name a package.
 * @param {string} text
 * @returns {string[]} such as `torch==2.13.0`
 */
export function requirements(text) {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

/**
 * Whether a Python has these packages, in any version: a user's own PyTorch, perhaps one for a GPU, is left as it is.
 * @param {string} python
 * @param {string[]} packages as in a requirements file
 * @returns {boolean}
 */
function hasPackages(python, packages) {
  const names = packages.map((line) => line.replace(/[^\w-].*/, ""));
  const found = `import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in ${JSON.stringify(names)}))`;
  return query(python, ["-c", found]) !== undefined;
}

/** @returns {Promise<string>} a Python with what the demo model's scripts import: the user's, else that of our `.venv` */
async function ensurePython() {
  const packages = requirements(readFileSync(join(folder, "requirements.txt"), "utf8"));
  const onPath = which("python3");
  if (onPath !== undefined && hasPackages(onPath, packages)) {
    return onPath;
  }
  const own = inVenv("python");
  if (own === undefined || !hasPackages(own, packages)) {
    await installInVenv(packages, "to train the demo model");
  }
  const python = inVenv("python");
  if (python === undefined || !hasPackages(python, packages)) {
    throw new BootstrapError(`pip installed ${packages.join(", ")}, but .venv has not all of them`);
  }
  return python;
}

/**
 * Makes the demo model anew; the options are those of make.py.
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
export async function makeDemoModel(args) {
  return runAttached(await ensurePython(), [join(folder, "make.py"), ...args]);
}

/**
 * The tests of the corpus, which need nothing but Python, and those of training and scoring, a short run among them.
 * @param {string[]} names of tests, or parts of them; none for all
 * @returns {Promise<number>} exit code
 */
export async function testDemoModel(names) {
  const python = await ensurePython();
  let worst = 0;
  const reports = ["corpus", "model"].map((part) => join(resultDirectory, `demo-model-${part}.json`));
  for (const [i, part] of ["corpus", "model"].entries()) {
    const code = await runAttached(python, [
      unittests,
      join(folder, "tests", part),
      ...["--json", reports[i]],
      ...names,
    ]);
    worst ||= code;
  }
  if (worst === 0) expectSomeRun(reports, names);
  return worst;
}

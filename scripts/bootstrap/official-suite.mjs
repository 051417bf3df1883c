import { mkdirSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./paths.mjs";
import { step } from "./progress.mjs";
import { query, which } from "./run.mjs";

const MODULE = "jupyter_kernel_test";
const DEBIAN_PACKAGE = "python3-jupyter-kernel-test";

/** Where the suite goes: neither the user's Python nor Debian's own folders are written to. */
const folder = join(root, "build", "jupyter-kernel-test");

/**
 * @param {string} python
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean}
 */
function hasSuite(python, env) {
  return query(python, ["-c", `import ${MODULE}`], { env }) !== undefined;
}

/**
 * @param {string} where a folder
 * @param {string | undefined} others the PYTHONPATH that there is
 * @returns {{ PYTHONPATH: string }}
 */
export function pythonPath(where, others = process.env.PYTHONPATH) {
  return { PYTHONPATH: others === undefined || others === "" ? where : `${where}${delimiter}${others}` };
}

/**
 * Without its dependencies: jupyter_client is there, and jsonschema comes with every Jupyter server. An index that does
 * not answer is asked once.
 * @param {string} python
 */
function installWithPip(python) {
  const options = [
    "--no-deps",
    "--no-input",
    "--disable-pip-version-check",
    "--retries",
    "0",
    "--timeout",
    "15",
  ];
  return query(python, ["-m", "pip", "install", "--quiet", ...options, "--target", folder, MODULE]);
}

function unpackFromDebian() {
  if (which("apt-get") === undefined || which("dpkg") === undefined) {
    return;
  }
  const download = () => query("apt-get", ["download", "-qq", DEBIAN_PACKAGE], { cwd: folder });
  if (download() === undefined && process.env.CI === "true" && process.getuid?.() === 0) {
    // A fresh container has no package lists.
    query("apt-get", ["update", "-qq"]);
    download();
  }
  const file = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (file !== undefined) {
    query("dpkg", ["-x", join(folder, file), folder]);
  }
}

/**
 * Finds jupyter_kernel_test for this Python, or fetches it into a folder of the build: with pip, else from Debian's
 * package. Where neither has it, says so; the test that needs it is then skipped, or fails when CI=true.
 * @param {string} python
 * @returns {Promise<{ PYTHONPATH?: string }>} the variables with which this Python finds it
 */
export async function ensureOfficialSuite(python) {
  const places = [folder, join(folder, "usr", "lib", "python3", "dist-packages")];
  const found = () => places.map((place) => pythonPath(place)).find((env) => hasSuite(python, env));
  if (hasSuite(python)) {
    return {};
  }
  let env = found();
  if (env === undefined) {
    env = await step(`fetching ${MODULE}`, async () => {
      mkdirSync(folder, { recursive: true });
      installWithPip(python);
      if (found() === undefined) {
        unpackFromDebian();
      }
      return found();
    });
  }
  if (env === undefined) {
    process.stderr.write(
      `MISSING: ${MODULE}, Jupyter's own tests of a kernel: neither pip nor Debian's ${DEBIAN_PACKAGE} could be had\n`,
    );
  }
  return env ?? {};
}

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { step } from "./progress.mjs";
import { runLogged } from "./run.mjs";
import { fileDigest } from "./staleness.mjs";

/**
 * Installs the node modules when the lock file is not the one that was installed last. The stamp lies inside
 * node_modules, which `npm ci` empties first: an interrupted install leaves none.
 */
export async function ensureNodeModules() {
  const lockFile = join(root, "package-lock.json");
  const stamp = join(root, "node_modules", ".persimmon-installed");
  const digest = fileDigest(lockFile);
  if (existsSync(stamp) && readFileSync(stamp, "utf8").trim() === digest) {
    return;
  }
  // npm names its own entry script to the scripts that it runs; that is the npm the user called.
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
  await step("installing node modules", () =>
    // A production setting in the environment would leave out the compiler's types and the test runner.
    runLogged(command, [...first, "ci", "--include=dev", "--no-audit", "--no-fund"], {
      log: "npm-ci",
      failure:
        "`npm ci` failed; it needs a reachable npm registry (see `npm config get registry`) or a filled cache",
    }),
  );
  writeFileSync(stamp, `${digest}\n`);
}

#!/usr/bin/env node
// Builds what is missing and then does what was asked: the first thing that `npm start`, `npm test` and
// `npm run notebooks` run, on a fresh clone as on any other day. It imports nothing that npm has to install first.
import { join } from "node:path";
import { runConformance } from "./bootstrap/conformance.mjs";
import { checkCudaBuild } from "./bootstrap/cuda-build.mjs";
import { makeDemoModel, testDemoModel } from "./bootstrap/demo-model.mjs";
import { ensureJupyter, installKernel } from "./bootstrap/jupyter.mjs";
import { format } from "./bootstrap/lint.mjs";
import { locked } from "./bootstrap/lock.mjs";
import { BootstrapError } from "./bootstrap/missing-tool.mjs";
import { ensureNative } from "./bootstrap/native-build.mjs";
import { ensureNodeModules } from "./bootstrap/node-modules.mjs";
import { isNodeSupported, unsupportedNodeMessage } from "./bootstrap/node-version.mjs";
import { root } from "./bootstrap/paths.mjs";
import { runAttached } from "./bootstrap/run.mjs";
import { ensureSnapshot } from "./bootstrap/snapshot.mjs";
import { startLab } from "./bootstrap/start.mjs";
import { summary } from "./bootstrap/summary.mjs";
import { lint, test, testCuda, testCudaWithSanitizers, testWithSanitizers } from "./bootstrap/test.mjs";
import { ensureTypeScript } from "./bootstrap/typescript.mjs";

function build() {
  return locked(async () => {
    await ensureNodeModules();
    await ensureNative("addon");
    await ensureTypeScript();
    await ensureSnapshot();
  });
}

/** @returns {Promise<import("./bootstrap/jupyter.mjs").JupyterInstallation>} */
async function buildWithJupyter() {
  await build();
  return locked(async () => {
    const installation = await ensureJupyter();
    await installKernel(installation.prefix);
    return installation;
  });
}

/** @type {Record<string, (args: string[]) => Promise<number>>} */
const commands = {
  build: async () => {
    await build();
    return 0;
  },
  start: async (args) => startLab(await buildWithJupyter(), args),
  test: async (args) => {
    await build();
    return test(args);
  },
  "native-sanitizers": async () => {
    await locked(ensureNodeModules);
    return testWithSanitizers();
  },
  "test-cuda": async () => {
    await build();
    return testCuda();
  },
  "cuda-sanitizers": async () => {
    await locked(ensureNodeModules);
    return testCudaWithSanitizers();
  },
  "cuda-build": (args) => checkCudaBuild(args, build),
  notebooks: async (args) => {
    const { jupyter, prefix } = await buildWithJupyter();
    const script = join(root, "scripts", "run-notebooks.mjs");
    return runAttached(process.execPath, [script, "--jupyter", jupyter, "--prefix", prefix, ...args]);
  },
  screenshot: async (args) => {
    const { jupyter, prefix } = await buildWithJupyter();
    let worst = 0;
    for (const name of ["check-screenshot.mjs", "check-lab.mjs"]) {
      const script = join(root, "scripts", name);
      const options = ["--jupyter", jupyter, "--prefix", prefix];
      // The second also where the first has failed.
      const code = await runAttached(process.execPath, [script, ...options, ...args]);
      worst ||= code;
    }
    return worst;
  },
  conformance: async (args) => runConformance(await buildWithJupyter(), args),
  "demo-model": async (args) => {
    await build();
    return makeDemoModel(args);
  },
  "test-demo-model": async (args) => {
    await build();
    return testDemoModel(args);
  },
  summary,
  lint: async () => {
    await locked(ensureNodeModules);
    return lint();
  },
  format: async () => {
    await locked(ensureNodeModules);
    return format();
  },
  bench: async (args) => {
    await build();
    return runAttached(process.execPath, [join(root, "dist", "src", "cli", "main.js"), "bench", ...args]);
  },
};

async function main() {
  if (!isNodeSupported(process.version)) {
    throw new BootstrapError(unsupportedNodeMessage(process.version));
  }
  const [name = "build", ...args] = process.argv.slice(2);
  const command = commands[name];
  if (command === undefined) {
    throw new BootstrapError(`no task named ${name}; there are: ${Object.keys(commands).join(", ")}`);
  }
  process.exitCode = await command(args);
}

main().catch((error) => {
  if (error instanceof BootstrapError) {
    process.stderr.write(`${error.output === undefined ? "" : `${error.output}\n\n`}${error.message}\n`);
  } else {
    console.error(error);
  }
  process.exitCode = 1;
});

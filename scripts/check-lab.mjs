#!/usr/bin/env node
// Runs small notebooks live in JupyterLab with a headless Chromium, nothing but our kernel installed, and checks what a
// reader sees: figures, a table, a compile error, a progress bar half-way; a figure that changes in place; the saved
// notebook opened untrusted; and as an exported HTML page. Keeps pictures in build/screenshots. Exit code 3: no Chromium.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { privateJupyterPrefix, root } from "./bootstrap/paths.mjs";
import { launchBrowser, NO_BROWSER } from "./browser.mjs";
import { checkExport } from "./check-lab/export.mjs";
import { checkPicture, checkUntrusted, checkUpdates } from "./check-lab/live.mjs";
import { exitOnSignal } from "./run-notebooks/exit-on-signal.mjs";
import { JupyterServer } from "./run-notebooks/server.mjs";

async function main() {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: join(root, "build", "screenshots") },
      jupyter: { type: "string", default: "jupyter" },
      prefix: { type: "string", default: privateJupyterPrefix },
    },
  });
  const browser = await launchBrowser();
  if (browser === undefined) {
    return NO_BROWSER;
  }
  const folder = join(root, "build", "lab");
  mkdirSync(folder, { recursive: true });
  mkdirSync(values.out, { recursive: true });
  const server = await JupyterServer.start({
    jupyter: values.jupyter,
    prefix: values.prefix,
    application: "lab",
    settings: {
      "@jupyterlab/notebook-extension:tracker": { windowingMode: "none" },
      "@jupyterlab/apputils-extension:notification": { fetchNews: "false", checkForUpdates: false },
    },
  });
  const context = { browser, server, folder, pictures: values.out, jupyter: values.jupyter };
  const checks = {
    "a live figure, a table, a compile error and a progress bar": checkPicture,
    "a figure changes in place": checkUpdates,
    "figures of an untrusted notebook are drawn, and its scripts do not run": checkUntrusted,
    "figures of an exported page are drawn": checkExport,
  };
  /** @type {{ name: string, passed: boolean, message?: string }[]} */
  const results = [];
  try {
    for (const [name, check] of Object.entries(checks)) {
      try {
        await check(context);
        results.push({ name, passed: true });
      } catch (error) {
        results.push({ name, passed: false, message: /** @type {Error} */ (error).message });
      }
      const { passed, message } = results[results.length - 1];
      process.stdout.write(`${passed ? "ok  " : "FAIL"}  ${name}${passed ? "" : `: ${message}`}\n`);
    }
  } finally {
    await browser.close();
    await server.stop();
  }
  const reports = join(root, "build", "test-results");
  mkdirSync(reports, { recursive: true });
  writeFileSync(join(reports, "lab.json"), `${JSON.stringify(results, null, 2)}\n`);
  return results.every((result) => result.passed) ? 0 : 1;
}

exitOnSignal();
main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

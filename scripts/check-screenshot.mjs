#!/usr/bin/env node
// Opens the executed notebooks in JupyterLab with a headless Chromium, checks that each of their figures is drawn, and
// keeps a picture of each notebook in build/screenshots. Exit code 3: there is no Chromium.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { parseArgs } from "node:util";
import { privateJupyterPrefix, root } from "./bootstrap/paths.mjs";
import { launchBrowser, NO_BROWSER } from "./browser.mjs";
import { exitOnSignal } from "./run-notebooks/exit-on-signal.mjs";
import { JupyterServer } from "./run-notebooks/server.mjs";

const PLOTLY = "application/vnd.plotly.v1+json";
const START_MILLISECONDS = 120_000;
const DRAW_MILLISECONDS = 60_000;
const WIDTH = 1500;
const LARGEST_HEIGHT = 16_000;

/**
 * @param {string} path a notebook
 * @returns {number} figures that it holds
 */
function countFigures(path) {
  const { cells } = JSON.parse(readFileSync(path, "utf8"));
  const outputs = cells.flatMap((/** @type {any} */ cell) => cell.outputs ?? []);
  return outputs.filter((/** @type {any} */ output) => output.data?.[PLOTLY] !== undefined).length;
}

/**
 * What of the figures is on the page; runs in the browser. A drawn figure has marks: paths, points or a heat map's
 * image, not only axes.
 * @returns {{ drawn: number, dialogs: string[] }}
 */
function inspectPage() {
  const page = /** @type {any} */ (globalThis).document;
  const marks = ".trace path, .trace image, .heatmaplayer image, .hm image, .gl-canvas, .pielayer path";
  const figures = [...page.querySelectorAll(".js-plotly-plot")];
  const drawn = figures.filter((figure) => {
    const { width, height } = figure.getBoundingClientRect();
    return width > 100 && height > 100 && figure.querySelector(marks) !== null;
  });
  const dialogs = [...page.querySelectorAll(".jp-Dialog")].map((dialog) => dialog.textContent);
  return { drawn: drawn.length, dialogs };
}

/**
 * Where the last cell ends, and the status bar below it; runs in the browser.
 * @returns {number} pixels
 */
function contentHeight() {
  const cells = [.../** @type {any} */ (globalThis).document.querySelectorAll(".jp-Notebook .jp-Cell")];
  return Math.ceil(Math.max(600, ...cells.map((cell) => cell.getBoundingClientRect().bottom))) + 60;
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {JupyterServer} server
 * @param {string} path
 * @param {string} picture
 * @returns {Promise<{ figures: number, message?: string }>} message: what is wrong
 */
async function checkNotebook(browser, server, path, picture) {
  const expected = countFigures(path);
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 1000 } });
  try {
    const where = relative(root, path).split(sep).map(encodeURIComponent).join("/");
    // A workspace of its own: JupyterLab would open the notebooks of the pages before as well.
    const workspace = `picture-${basename(path, ".ipynb")}`;
    await page.goto(`${server.baseUrl}lab/workspaces/${workspace}/tree/${where}?token=${server.token}`, {
      timeout: START_MILLISECONDS,
    });
    await page.waitForSelector(".jp-Notebook .jp-Cell", { timeout: START_MILLISECONDS });
    // Tall enough for the whole notebook, so that one picture shows all of it and no figure waits to be scrolled to.
    const height = await page.evaluate(
      () => /** @type {any} */ (globalThis).document.querySelector(".jp-Notebook")?.scrollHeight ?? 0,
    );
    await page.setViewportSize({
      width: WIDTH,
      height: Math.min(LARGEST_HEIGHT, Math.max(1000, height + 3000)),
    });
    const deadline = Date.now() + DRAW_MILLISECONDS;
    let found = await page.evaluate(inspectPage);
    while (found.drawn < expected && Date.now() < deadline) {
      await page.waitForTimeout(250);
      found = await page.evaluate(inspectPage);
    }
    await page.setViewportSize({
      width: WIDTH,
      height: Math.min(LARGEST_HEIGHT, await page.evaluate(contentHeight)),
    });
    await page.waitForTimeout(500);
    await page.screenshot({ path: picture });
    if (found.dialogs.length > 0) {
      return { figures: expected, message: `JupyterLab shows a dialog: ${found.dialogs.join("; ")}` };
    }
    if (found.drawn !== expected) {
      return { figures: expected, message: `${found.drawn} of ${expected} figures are drawn` };
    }
    return { figures: expected };
  } finally {
    await page.close();
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      notebooks: { type: "string", default: join(root, "build", "notebooks") },
      out: { type: "string", default: join(root, "build", "screenshots") },
      jupyter: { type: "string", default: "jupyter" },
      prefix: { type: "string", default: privateJupyterPrefix },
    },
  });
  const names = readdirSync(values.notebooks)
    .filter((name) => name.endsWith(".ipynb"))
    .sort();
  if (names.length === 0) {
    throw new Error(`no executed notebooks in ${values.notebooks}; run \`npm run notebooks\` first`);
  }
  const browser = await launchBrowser();
  if (browser === undefined) {
    return NO_BROWSER;
  }
  mkdirSync(values.out, { recursive: true });
  const server = await JupyterServer.start({
    jupyter: values.jupyter,
    prefix: values.prefix,
    application: "lab",
    // Cells that are out of sight would not be on the page at all, and a question about news would lie over it.
    settings: {
      "@jupyterlab/notebook-extension:tracker": { windowingMode: "none" },
      "@jupyterlab/apputils-extension:notification": { fetchNews: "false", checkForUpdates: false },
    },
  });
  /** @type {{ name: string, passed: boolean, message?: string }[]} */
  const results = [];
  try {
    for (const name of names) {
      const picture = join(values.out, name.replace(/\.ipynb$/, ".png"));
      const { figures, message } = await checkNotebook(
        browser,
        server,
        join(values.notebooks, name),
        picture,
      );
      results.push({ name, passed: message === undefined, message });
      process.stdout.write(
        `${message === undefined ? "ok  " : "FAIL"}  ${name}  ${message ?? `${figures} figures drawn`}  ${picture}\n`,
      );
    }
  } finally {
    await browser.close();
    await server.stop();
  }
  const reports = join(root, "build", "test-results");
  mkdirSync(reports, { recursive: true });
  writeFileSync(join(reports, "screenshots.json"), `${JSON.stringify(results, null, 2)}\n`);
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

/** What is done with a page of JupyterLab, and what is read from it. */

const START_MILLISECONDS = 60_000;

/**
 * Opens a notebook, and waits for its kernel: JupyterLab drops what is run before.
 * @param {import("playwright-core").Page} page
 * @param {import("../run-notebooks/server.mjs").JupyterServer} server
 * @param {string} path below the server's root
 */
export async function openNotebook(page, server, path) {
  const where = path.split("/").map(encodeURIComponent).join("/");
  await page.goto(`${server.baseUrl}lab/tree/${where}?reset&token=${server.token}`, {
    timeout: START_MILLISECONDS,
  });
  await page.waitForSelector(".jp-Notebook .jp-Cell", { timeout: START_MILLISECONDS });
  await until(
    "the kernel to be idle",
    async () => ((await page.locator("#jp-main-statusbar").textContent()) ?? "").includes("| Idle"),
    START_MILLISECONDS,
  );
}

/**
 * The n-th cell, from zero.
 * @param {import("playwright-core").Page} page
 * @param {number} index
 */
export function cell(page, index) {
  return page.locator(".jp-Notebook .jp-CodeCell").nth(index);
}

/**
 * Starts a cell as a reader would: a click and Ctrl+Enter.
 * @param {import("playwright-core").Page} page
 * @param {number} index
 */
export async function startCell(page, index) {
  await cell(page, index).locator(".cm-content").click();
  await page.keyboard.press("Control+Enter");
}

/**
 * Runs a cell to its end: the prompt shows a number.
 * @param {import("playwright-core").Page} page
 * @param {number} index
 */
export async function runCell(page, index) {
  await startCell(page, index);
  await until(
    `cell ${index} to end`,
    async () => /\[\d+\]/.test((await cell(page, index).locator(".jp-InputPrompt").textContent()) ?? ""),
    START_MILLISECONDS,
  );
}

/**
 * What of figures is on the page; runs in the browser. A drawn figure has marks: paths, points or a heat map's image, not
 * only axes.
 * @returns {{ drawn: number, traces: number[] }} traces: of each drawn figure
 */
export function drawnFigures() {
  const page = /** @type {any} */ (globalThis).document;
  const marks = ".trace path, .trace image, .heatmaplayer image, .hm image, .gl-canvas, .pielayer path";
  const drawn = [...page.querySelectorAll(".js-plotly-plot")].filter((figure) => {
    const { width, height } = figure.getBoundingClientRect();
    return width > 100 && height > 100 && figure.querySelector(marks) !== null;
  });
  return {
    drawn: drawn.length,
    traces: drawn.map((figure) => figure.querySelectorAll(".scatterlayer .trace, .barlayer .trace").length),
  };
}

/**
 * Where the last cell ends, in pixels; runs in the browser.
 * @returns {number}
 */
export function contentHeight() {
  const cells = [.../** @type {any} */ (globalThis).document.querySelectorAll(".jp-Notebook .jp-Cell")];
  return Math.ceil(Math.max(600, ...cells.map((cell) => cell.getBoundingClientRect().bottom)));
}

/**
 * Waits until something holds.
 * @param {string} what
 * @param {() => Promise<boolean>} holds
 * @param {number} [milliseconds]
 */
export async function until(what, holds, milliseconds = 60_000) {
  const deadline = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > deadline) {
      throw new Error(`waited ${milliseconds / 1000} s for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/**
 * Saves the notebook as a reader would, and waits until it is saved.
 * @param {import("playwright-core").Page} page
 */
export async function save(page) {
  await page.keyboard.press("Escape");
  const saved = page.waitForResponse(
    (response) => response.request().method() === "PUT" && response.url().includes("/api/contents/"),
  );
  await page.keyboard.press("Control+s");
  await saved;
}

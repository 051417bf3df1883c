import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "../bootstrap/paths.mjs";
import { COMPILE_ERRORS, notebook, PICTURE, STEPS, TABLE_ROWS, UPDATES } from "./notebooks.mjs";
import { cell, contentHeight, drawnFigures, openNotebook, runCell, save, startCell, until } from "./page.mjs";

/**
 * @typedef {object} Context
 * @property {import("playwright-core").Browser} browser
 * @property {import("../run-notebooks/server.mjs").JupyterServer} server
 * @property {string} folder where notebooks are written
 * @property {string} pictures where pictures are kept
 * @property {string} jupyter the `jupyter` program
 */

const VIEWPORT = { width: 1280, height: 1500 };

/**
 * @param {Context} context
 * @param {string} name of the notebook's file
 * @param {(page: import("playwright-core").Page) => Promise<void>} use
 */
async function withNotebook({ browser, server, folder, pictures }, name, use) {
  const page = await browser.newPage({ viewport: VIEWPORT });
  try {
    await openNotebook(page, server, relative(root, join(folder, name)));
    // The list of files would take a quarter of the picture.
    await page.keyboard.press("Control+b");
    await use(page);
  } catch (error) {
    await page.screenshot({ path: join(pictures, `failed-${name.replace(/\.ipynb$/, ".png")}`) });
    throw error;
  } finally {
    await page.close();
  }
}

/**
 * @param {boolean} holds
 * @param {string} message what is wrong otherwise
 */
function expect(holds, message) {
  if (!holds) {
    throw new Error(message);
  }
}

/**
 * The picture of the kernel at work, taken while the last cell runs.
 * @param {Context} context
 */
export async function checkPicture(context) {
  writeFileSync(join(context.folder, "picture.ipynb"), notebook(PICTURE));
  await withNotebook(context, "picture.ipynb", async (page) => {
    await runCell(page, 0);
    await until("the figure to be drawn", async () => (await page.evaluate(drawnFigures)).drawn === 1);
    await runCell(page, 1);
    const rows = await cell(page, 1).locator(".jp-OutputArea tbody tr").count();
    expect(rows === TABLE_ROWS, `the table has ${rows} rows, expected ${TABLE_ROWS}`);
    await runCell(page, 2);
    const error = await cell(page, 2).locator(".jp-OutputArea pre").innerText();
    const heads = error.match(/Cell \d+:\d+:\d+ - error TS\d+: /g)?.length ?? 0;
    expect(
      heads === COMPILE_ERRORS,
      `${heads} compile errors are shown, expected ${COMPILE_ERRORS}: ${error}`,
    );
    expect(
      /\d \| const width.*\n\s+\|\s+~{5}/.test(error),
      `the error does not underline \`width\`: ${error}`,
    );
    await page.setViewportSize({ ...VIEWPORT, height: (await page.evaluate(contentHeight)) + 80 });
    await startCell(page, 3);
    const bar = cell(page, 3).locator(".jp-OutputArea progress");
    const value = async () => ((await bar.count()) === 1 ? bar.evaluate((element) => element.value) : 0);
    await until("the progress bar to be half-way", async () => (await value()) >= STEPS / 2);
    await page.screenshot({ path: join(context.pictures, "lab.png") });
    const done = await value();
    expect(done > 0 && done < STEPS, `the progress bar is at ${done} of ${STEPS}`);
    const prompt = await cell(page, 3).locator(".jp-InputPrompt").textContent();
    expect(prompt?.includes("*") === true, `the cell with the progress bar does not run any more: ${prompt}`);
    // The stop button: the bar says where it was, and the cell ends.
    await page
      .locator('[data-command="notebook:interrupt-kernel"], [data-jp-item-name="interrupt"] button')
      .first()
      .click();
    await until("the progress bar to stop", async () => {
      return (await cell(page, 3).locator(".jp-OutputArea").first().innerText()).includes(
        "interrupted after",
      );
    });
  });
}

/**
 * A figure that an update changes keeps its place on the page.
 * @param {Context} context
 */
export async function checkUpdates(context) {
  writeFileSync(join(context.folder, "updates.ipynb"), notebook(UPDATES));
  await withNotebook(context, "updates.ipynb", async (page) => {
    const traces = async () => (await page.evaluate(drawnFigures)).traces;
    await runCell(page, 0);
    await until("the figure to be drawn", async () => (await traces())[0] === 1);
    const figure = await page.$(".js-plotly-plot");
    await runCell(page, 1);
    await until("the figure to be redrawn", async () => (await traces())[0] === 3);
    expect((await traces()).length === 1, "the update added a figure");
    const isSame = await page.evaluate(
      (first) => first === /** @type {any} */ (globalThis).document.querySelector(".js-plotly-plot"),
      figure,
    );
    expect(isSame, "the update replaced the figure's element instead of redrawing it");
    await runCell(page, 2);
    await until("the large figure to be drawn", async () => (await traces()).length === 2);
    await save(page);
  });
}

/**
 * The notebook that checkUpdates saved, changed by another hand, which makes it untrusted.
 * @param {Context} context
 */
export async function checkUntrusted(context) {
  const saved = JSON.parse(readFileSync(join(context.folder, "updates.ipynb"), "utf8"));
  const script = "<b>kept</b><script>window.scriptOfOutputRan = true</script>";
  const output = { output_type: "display_data", metadata: {}, data: { "text/html": script } };
  saved.cells[1].outputs.push(output);
  writeFileSync(join(context.folder, "untrusted.ipynb"), JSON.stringify(saved));
  await withNotebook(context, "untrusted.ipynb", async (page) => {
    await until("both figures to be drawn", async () => (await page.evaluate(drawnFigures)).drawn === 2);
    // A figure, not a picture of one: it answers the pointer.
    const figure = page.locator(".js-plotly-plot").first();
    await figure.locator(".nsewdrag").first().hover();
    await until("a label beside the pointer", async () => (await figure.locator(".hovertext").count()) > 0);
    await page.waitForSelector(".jp-OutputArea b");
    const ran = await page.evaluate(() => /** @type {any} */ (globalThis).scriptOfOutputRan);
    expect(ran === undefined, "the notebook was trusted: a script of its outputs ran");
    await page.screenshot({ path: join(context.pictures, "untrusted.png") });
  });
}

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { drawnFigures, until } from "./page.mjs";

const PLOTLY = createRequire(import.meta.url).resolve("plotly.js-dist-min/plotly.min.js");

/**
 * The saved notebook as `jupyter nbconvert --to html` writes it, opened from disk. The one thing that the page gets from
 * the network is plotly, which this check serves from node_modules; everything else is refused.
 * @param {import("./live.mjs").Context} context
 */
export async function checkExport({ browser, folder, pictures, jupyter }) {
  const args = ["nbconvert", "--to", "html", join(folder, "updates.ipynb"), "--output", "exported"];
  const { status, stderr } = spawnSync(jupyter, args, { encoding: "utf8", timeout: 120_000 });
  if (status !== 0) {
    throw new Error(`nbconvert failed:\n${stderr}`);
  }
  const page = await browser.newPage({ viewport: { width: 1100, height: 1000 } });
  /** @type {string[]} */
  const asked = [];
  try {
    await page.route(/^https?:/, (route) => {
      const url = route.request().url();
      if (!url.includes("plotly-")) return route.abort();
      asked.push(url);
      return route.fulfill({ path: PLOTLY, contentType: "text/javascript" });
    });
    await page.goto(pathToFileURL(join(folder, "exported.html")).href);
    await until("both figures to be drawn", async () => (await page.evaluate(drawnFigures)).drawn === 2);
    if (asked.length !== 1) {
      throw new Error(`the page asked for plotly ${asked.length} times: ${asked.join(", ")}`);
    }
    await page.screenshot({ path: join(pictures, "exported.png"), fullPage: true });
  } finally {
    await page.close();
  }
}

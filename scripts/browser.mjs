import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { which } from "./bootstrap/run.mjs";

/** Exit code of a check that needs a browser where there is none. */
export const NO_BROWSER = 3;

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * A headless Chromium: the one that CHROMIUM_PATH names, else one on the PATH. Undefined, with a word on stderr, where
 * there is none.
 * @returns {Promise<import("playwright-core").Browser | undefined>}
 */
export async function launchBrowser() {
  const named = process.env.CHROMIUM_PATH;
  const executablePath =
    named !== undefined && existsSync(named)
      ? named
      : ["chromium", "chromium-browser", "google-chrome"].map((name) => which(name)).find((path) => path);
  if (executablePath === undefined) {
    process.stderr.write(
      "SKIPPED: no chromium on the PATH; `sudo apt-get install chromium` or set CHROMIUM_PATH\n",
    );
    return undefined;
  }
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

import { inspect } from "node:util";
import type { Figure } from "../../display/figure.js";
import { escapeHtml } from "../../display/html.js";
import { jupyterDisplay, type MimeBundle } from "../../display/mime.js";

/** Shows itself as a figure, and as lines, of which the first says the most. */
export abstract class ShownResult {
  abstract lines(): string[];
  abstract figure(): Figure;

  toString(): string {
    return this.lines().join("\n");
  }

  /** How Node prints it. */
  [inspect.custom](): string {
    return this.toString();
  }

  /** How a notebook shows it. */
  [jupyterDisplay](): MimeBundle {
    const [headline, ...rest] = this.lines();
    const html = rest.map((line) => `<div>${escapeHtml(line)}</div>`).join("");
    return {
      ...this.figure()[jupyterDisplay](),
      "text/html": `<div><b>${escapeHtml(headline)}</b>${html}</div>`,
      "text/plain": this.toString(),
    };
  }
}

import type { Figure } from "../display/figure.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";

/** How a result is shown: its figure, and a summary for those who see text only. */
export function figureBundle(figure: Figure, summary: string): MimeBundle {
  return { ...figure[jupyterDisplay](), "text/plain": summary };
}

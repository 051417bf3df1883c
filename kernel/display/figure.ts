import { toJson } from "./encode.js";
import { figureHtml } from "./figure_html.js";

/** A plotly figure: what `Plotly.newPlot` takes. */
export interface Figure {
  data: unknown[];
  layout: object;
  config?: object;
  frames?: unknown[];
}

/** The MIME type of a plotly figure, as JupyterLab's and VS Code's renderers know it. */
export const PLOTLY_MIME_TYPE = "application/vnd.plotly.v1+json";

/** Whether a value is a plotly figure: traces in `data`, and a `layout`. */
export function isFigure(value: unknown): value is Figure {
  if (typeof value !== "object" || value === null) return false;
  const { data, layout } = value as Partial<Figure>;
  const isObject = (part: unknown) => typeof part === "object" && part !== null && !Array.isArray(part);
  return Array.isArray(data) && data.every(isObject) && isObject(layout);
}

/** A figure for JupyterLab and VS Code (the plotly type), for exported pages and nbclassic (HTML), and as text. */
export function figureBundle({ data, layout, config, frames }: Figure): Record<string, unknown> {
  const figure = { data, layout, ...(config && { config }), ...(frames && { frames }) };
  // Numbers that are not finite become null, which plotly draws as a gap.
  const plain = JSON.parse(toJson(figure, Number)!) as Figure;
  return withFigureHtml({ [PLOTLY_MIME_TYPE]: plain, "text/plain": figureText(plain) });
}

/**
 * Adds HTML to a bundle that has a figure and none of its own, for pages without a renderer of figures: every object that
 * shows itself as a figure, of whatever library, can then be seen in an exported page.
 */
export function withFigureHtml(data: Record<string, unknown>): Record<string, unknown> {
  const figure = data[PLOTLY_MIME_TYPE];
  if (!isFigure(figure) || data["text/html"] !== undefined) return data;
  return { ...data, "text/html": figureHtml(figure, figureText(figure)) };
}

/** One line about a figure, for those who see text only. */
export function figureText({ data, layout }: Figure): string {
  const title = (layout as { title?: unknown }).title;
  const name = typeof title === "string" ? title : (title as { text?: string } | null | undefined)?.text;
  const types = [...new Set(data.map((trace) => (trace as { type?: string }).type ?? "scatter"))];
  const traces = `${data.length} ${data.length === 1 ? "trace" : "traces"}`;
  return `Figure${name ? ` "${name}"` : ""}: ${traces}${types.length > 0 ? ` (${types.join(", ")})` : ""}`;
}

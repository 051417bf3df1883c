import { randomUUID } from "node:crypto";

/** A plotly figure: what `Plotly.newPlot` takes. */
export interface Figure {
  data: unknown[];
  layout: object;
  config?: object;
  frames?: unknown[];
}

/** The MIME type of a plotly figure, as JupyterLab's and VS Code's renderers know it. */
export const PLOTLY_MIME_TYPE = "application/vnd.plotly.v1+json";
/** The version of plotly.js that figures are written for; the one that the renderer brings. */
export const PLOTLY_VERSION = "4.1.2";
/** The renderer's name among JupyterLab's extensions. */
export const RENDERER_NAME = "persimmon-lab-plotly";

/** Whether a value is a plotly figure: traces in `data`, and a `layout`. */
export function isFigure(value: unknown): value is Figure {
  if (typeof value !== "object" || value === null) return false;
  const { data, layout } = value as Partial<Figure>;
  const isObject = (part: unknown) => typeof part === "object" && part !== null && !Array.isArray(part);
  return Array.isArray(data) && data.every(isObject) && isObject(layout);
}

/** A figure for JupyterLab and VS Code (the plotly type), for exported pages and nbclassic (HTML), and as text. */
export function figureBundle({ data, layout, config, frames }: Figure): Record<string, unknown> {
  const figure = plain({ data, layout, ...(config && { config }), ...(frames && { frames }) });
  return {
    [PLOTLY_MIME_TYPE]: figure,
    "text/html": figureHtml(figure),
    "text/plain": figureText({ data, layout }),
  };
}

/** One line about a figure, for those who see text only. */
export function figureText({ data, layout }: Figure): string {
  const title = (layout as { title?: unknown }).title;
  const name = typeof title === "string" ? title : (title as { text?: string } | undefined)?.text;
  const types = [...new Set(data.map((trace) => (trace as { type?: string }).type ?? "scatter"))];
  return `Figure${name ? ` "${name}"` : ""}: ${data.length} ${data.length === 1 ? "trace" : "traces"} (${types.join(", ")})`;
}

/** Typed arrays become arrays, and what JSON cannot hold becomes null, as plotly expects of gaps. */
function plain(value: unknown): object {
  return JSON.parse(
    JSON.stringify(value, (_, part) => {
      if (ArrayBuffer.isView(part) && !(part instanceof DataView)) return Array.from(part as Float64Array);
      return typeof part === "bigint" ? Number(part) : part;
    }),
  );
}

/**
 * The fallback: draws with the plotly of the page, else that of JupyterLab's extension, else that of plotly's own
 * delivery network.
 */
export function figureHtml(figure: object): string {
  const id = `figure-${randomUUID()}`;
  const json = JSON.stringify(figure)
    .replace(/</g, "\\u003c")
    .replace(/\u2028/g, "\\u2028")
    .replace(/\u2029/g, "\\u2029");
  return `<div id="${id}" style="min-height:100px"></div><script>(function () {
  var figure = ${json};
  var draw = function () { window.Plotly.newPlot("${id}", figure.data, figure.layout, figure.config); };
  if (window.Plotly) return draw();
  var page = document.getElementById("jupyter-config-data");
  var base = page ? JSON.parse(page.textContent).baseUrl : document.body.getAttribute("data-base-url");
  var places = ["https://cdn.plot.ly/plotly-${PLOTLY_VERSION}.min.js"];
  if (base) places.unshift(base + "lab/extensions/${RENDERER_NAME}/static/plotly.min.js");
  (function next() {
    var script = document.createElement("script"), define = window.define;
    script.src = places.shift();
    window.define = undefined;
    var done = function () { window.define = define; };
    script.onload = function () { done(); draw(); };
    script.onerror = function () { done(); if (places.length) next(); };
    document.head.appendChild(script);
  })();
})();</script>`;
}

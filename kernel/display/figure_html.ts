import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { escapeHtml } from "./html.js";

/** The version of plotly.js that figures are written for; the one that the renderer brings. */
export const PLOTLY_VERSION = "4.1.2";
/** The renderer's name among JupyterLab's extensions. */
export const RENDERER_NAME = "persimmon-lab-plotly";

// A notebook holds a figure twice, since each output must stand alone: as JSON for renderers, and in HTML for pages that
// have none. Above this size the second one is compressed: to a quarter or half of it, base64 included, in the figures of
// notebooks/, and to 60 % where it holds random numbers.
const LARGEST_UNCOMPRESSED = 4_000;

/**
 * The fallback of a figure: a script that draws with the plotly of the page, else that of JupyterLab's extension, else
 * that of plotly's own delivery network; one copy for all figures of a page. AMD's `define`, where a page has it, would
 * take plotly away from the window. Where scripts do not run, and where no plotly can be had, the text stays.
 */
export function figureHtml(figure: object, text: string): string {
  const id = `figure-${randomUUID()}`;
  const json = JSON.stringify(figure);
  const source =
    json.length > LARGEST_UNCOMPRESSED ? unpacking(json) : `Promise.resolve(${scriptJson(json)})`;
  return `<div id="${id}" style="min-height:100px">${escapeHtml(text)}</div><script>(function () {
  var figure = ${source};
  var plotly = window.persimmonPlotly = window.persimmonPlotly || new Promise(function (resolve, reject) {
    if (window.Plotly) return resolve(window.Plotly);
    var page = document.getElementById("jupyter-config-data");
    var base = page ? JSON.parse(page.textContent).baseUrl : document.body.getAttribute("data-base-url");
    var places = ["https://cdn.plot.ly/plotly-${PLOTLY_VERSION}.min.js"];
    if (base) places.unshift(base + "lab/extensions/${RENDERER_NAME}/static/plotly.min.js");
    var define = window.define;
    (function next() {
      var script = document.createElement("script");
      window.define = undefined;
      script.src = places.shift();
      script.onload = function () { window.define = define; resolve(window.Plotly); };
      script.onerror = function () { window.define = define; places.length ? next() : reject(script.src); };
      document.head.appendChild(script);
    })();
  });
  Promise.all([plotly, figure]).then(function (both) {
    var place = document.getElementById("${id}");
    place.textContent = "";
    return both[0].newPlot(place, both[1]);
  }).catch(function (error) { console.error("The figure could not be drawn:", error); });
})();</script>`;
}

/** JSON that may stand in a script: no `</script>` ends it early. */
function scriptJson(json: string): string {
  return json
    .replace(/</g, "\\u003c")
    .replace(/\u2028/g, "\\u2028")
    .replace(/\u2029/g, "\\u2029");
}

/** An expression for JSON that was compressed; DecompressionStream is in every browser since 2023. */
function unpacking(json: string): string {
  return `new Response(new Blob([
    Uint8Array.from(atob("${gzipSync(json).toString("base64")}"), function (c) { return c.charCodeAt(0); })
  ]).stream().pipeThrough(new DecompressionStream("gzip"))).json()`;
}

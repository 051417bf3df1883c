import { randomUUID } from "node:crypto";
import { scriptJson } from "./html.js";

/** The plotly.js that figures are written for; the version in package.json. */
const plotlyVersion = "4.1.2";

/**
 * A figure as HTML, for front ends without a plotly renderer: exported pages, nbclassic. Draws with the plotly that is on
 * the page, else with the copy in JupyterLab's extension, else with the one of plotly's own delivery network.
 */
export function figureHtml(figure: { data: unknown; layout: unknown; config: unknown }): string {
  const id = `figure-${randomUUID()}`;
  return `<div id="${id}"></div><script>(function () {
  var figure = ${scriptJson(figure)};
  function draw() { window.Plotly.newPlot("${id}", figure.data, figure.layout, figure.config); }
  if (window.Plotly) return draw();
  var page = document.getElementById("jupyter-config-data");
  var base = page ? JSON.parse(page.textContent).baseUrl : document.body.getAttribute("data-base-url");
  var sources = ["https://cdn.plot.ly/plotly-${plotlyVersion}.min.js"];
  if (base) sources.unshift(base + "lab/extensions/persimmon-lab-plotly/static/plotly.min.js");
  (function next() {
    var script = document.createElement("script"), define = window.define;
    window.define = undefined;
    script.src = sources.shift();
    script.onload = function () { window.define = define; draw(); };
    script.onerror = function () { window.define = define; if (sources.length) next(); };
    document.head.appendChild(script);
  })();
})();</script>`;
}

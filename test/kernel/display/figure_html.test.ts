import { createRequire } from "node:module";
import { setImmediate, setTimeout } from "node:timers/promises";
import { createContext, runInContext, Script } from "node:vm";
import { describe, expect, it } from "vitest";
import { figureHtml, PLOTLY_VERSION } from "../../../kernel/display/figure_html.js";

const scriptOf = (html: string) => /<script>(.*)<\/script>/s.exec(html)![1]!;

/** Runs the script of a figure in a page that has plotly; what plotly was asked to draw. */
async function drawnBy(html: string): Promise<unknown> {
  const place = { textContent: "text" };
  let drawn: unknown;
  const Plotly = {
    newPlot(_: unknown, figure: unknown) {
      drawn = figure;
    },
  };
  const page = { window: { Plotly }, document: { getElementById: () => place } };
  const { atob, Blob, Response, DecompressionStream, console } = globalThis;
  const browser = { atob, Blob, Response, DecompressionStream, console, Uint8Array: globalThis.Uint8Array };
  runInContext(scriptOf(html), createContext({ ...page, ...browser }));
  // Decompression takes place on other threads, which may have to wait for a processor.
  for (let i = 0; i < 1000 && drawn === undefined; i++) await setTimeout(10);
  expect(place.textContent).toBe("");
  return drawn;
}

describe("figureHtml", () => {
  it("keeps a figure's text from ending its script, and escapes the text that stays without scripts", () => {
    const html = figureHtml({ data: [], layout: { title: "</script><b>" } }, 'Figure "<b>"');
    expect(html.match(/<\/script>/g)).toHaveLength(1);
    expect(html).toContain("Figure &quot;&lt;b&gt;&quot;</div>");
    expect(() => new Script(scriptOf(html))).not.toThrow();
  });

  it("draws a small figure from JSON", async () => {
    const figure = { data: [{ y: [1, null] }], layout: { title: "a\u2028<é" } };
    expect(await drawnBy(figureHtml(figure, ""))).toEqual(figure);
  });

  it("draws a large figure from compressed JSON, in less than two thirds of its size", async () => {
    const y = Array.from({ length: 5000 }, (_, i) => Math.sin(i * i));
    const figure = { data: [{ y }], layout: { title: "é" } };
    const html = figureHtml(figure, "");
    expect(html.length).toBeLessThan((2 / 3) * JSON.stringify(figure).length);
    expect(await drawnBy(html)).toEqual(figure);
  });

  it("loads plotly once for all figures: from the server's extension, else from the network, past AMD's define", async () => {
    const define = () => {};
    const asked: string[] = [];
    const drawn: unknown[] = [];
    const page: Record<string, unknown> = { define };
    const head = {
      appendChild(script: { src: string; onload: () => void; onerror: () => void }) {
        expect(page.define).toBeUndefined();
        asked.push(script.src);
        if (asked.length === 1) return queueMicrotask(script.onerror);
        page.Plotly = { newPlot: (_: unknown, figure: unknown) => drawn.push(figure) };
        queueMicrotask(script.onload);
      },
    };
    const document = {
      head,
      body: { getAttribute: () => "/user/ada/" },
      createElement: () => ({}),
      getElementById: (id: string) => (id.startsWith("figure-") ? {} : null),
    };
    const context = createContext({ window: page, document, console });
    for (const title of ["one", "two"]) {
      runInContext(scriptOf(figureHtml({ data: [], layout: { title } }, "")), context);
    }
    for (let i = 0; i < 1000 && drawn.length < 2; i++) await setImmediate();
    expect(asked).toEqual([
      "/user/ada/lab/extensions/persimmon-lab-plotly/static/plotly.min.js",
      `https://cdn.plot.ly/plotly-${PLOTLY_VERSION}.min.js`,
    ]);
    expect(drawn).toHaveLength(2);
    expect(page.define).toBe(define);
  });

  it("names the plotly that is installed", () => {
    expect(createRequire(import.meta.url)("plotly.js-dist-min/package.json").version).toBe(PLOTLY_VERSION);
  });
});

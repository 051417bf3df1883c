import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createContext, runInContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { PLOTLY_MIME_TYPE } from "../../kernel/display/figure.js";
import { RENDERER_NAME } from "../../kernel/display/figure_html.js";

const folder = resolve(import.meta.dirname, "../../kernel/labextension");

/** A page that has just enough of a browser to load the extension and draw one figure. */
function page() {
  const loaded: string[] = [];
  const drawn: unknown[] = [];
  const newScript = { src: "", onload: () => {} };
  const Plotly = {
    react: async (_: unknown, figure: unknown) => void drawn.push(figure),
    relayout() {},
    purge() {},
  };
  const window: Record<string, unknown> = {};
  const document = {
    currentScript: { src: `http://host/lab/extensions/${RENDERER_NAME}/static/remoteEntry.js?v=1` },
    createElement: () => newScript,
    head: {
      appendChild(script: typeof newScript) {
        loaded.push(script.src);
        window.Plotly = Plotly;
        queueMicrotask(script.onload);
      },
    },
  };
  class ResizeObserver {
    observe() {}
    disconnect() {}
  }
  class Widget {
    node = { style: {}, offsetWidth: 0, textContent: "" };
    addClass() {}
  }
  const context = createContext({ window, document, ResizeObserver });
  runInContext(readFileSync(join(folder, "static", "remoteEntry.js"), "utf8"), context);
  const scope = { "@lumino/widgets": { "2.9.0": {}, "2.10.0": { get: async () => () => ({ Widget }) } } };
  return { window, scope, loaded, drawn };
}

describe("the renderer of figures", () => {
  it("loads plotly from beside itself, once, at the first figure, and draws a copy", async () => {
    const { window, scope, loaded, drawn } = page();
    // biome-ignore lint/suspicious/noExplicitAny: a module of the page, made by plain JavaScript
    const container = (window._JUPYTERLAB as any)[RENDERER_NAME];
    container.init(scope);
    const { default: extension } = (await container.get("./mimeExtension"))();
    expect(extension.rendererFactory).toMatchObject({ safe: true, mimeTypes: [PLOTLY_MIME_TYPE] });
    expect(loaded).toEqual([]);
    const figure = { data: [{ y: [1] }], layout: { height: 300 } };
    for (let i = 0; i < 2; i++) {
      await extension.rendererFactory.createRenderer().renderModel({ data: { [PLOTLY_MIME_TYPE]: figure } });
    }
    expect(loaded).toEqual([`http://host/lab/extensions/${RENDERER_NAME}/static/plotly.min.js`]);
    expect(drawn).toHaveLength(2);
    expect(drawn[0]).toMatchObject({
      data: figure.data,
      layout: { height: 300 },
      config: { displaylogo: false },
      frames: [],
    });
  });

  it("is described for JupyterLab by its package.json", () => {
    const { name, jupyterlab } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    expect(name).toBe(RENDERER_NAME);
    expect(jupyterlab._build).toEqual({ load: "static/remoteEntry.js", mimeExtension: "./mimeExtension" });
  });
});

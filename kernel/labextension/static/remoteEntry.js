// @ts-nocheck - this file runs in the browser, as it is: no bundler, no DOM types in this project.
/*
 * A renderer of application/vnd.plotly.v1+json for JupyterLab 4 and Notebook 7: a federated extension written by hand.
 * The page calls init() with the modules that it shares and get() for ours. Only @lumino/widgets is taken from it.
 * plotly.min.js (4.8 MB) lies beside this file and is loaded when the first figure is drawn, so that opening the lab
 * costs nothing. A renderer of JSON, not a script of the output, so figures draw in untrusted notebooks too.
 */
(() => {
  const NAME = "persimmon-lab-plotly";
  const MIME_TYPE = "application/vnd.plotly.v1+json";
  const folder = (
    document.currentScript?.src ??
    document.querySelector(`script[src*="${NAME}"]`)?.src ??
    ""
  ).replace(/[^/]*$/, "");
  let shared;
  let plotly;

  /** plotly.js, loaded once; a page may bring AMD's `define`, which plotly would register with instead of the window. */
  function loadPlotly() {
    plotly ??= new Promise((resolve, reject) => {
      const define = window.define;
      const script = document.createElement("script");
      script.src = `${folder}plotly.min.js`;
      window.define = undefined;
      script.onload = () => {
        window.define = define;
        resolve(window.Plotly);
      };
      script.onerror = () => {
        window.define = define;
        plotly = undefined;
        reject(new Error(`Could not load ${script.src}. Run "persimmon kernel install" again.`));
      };
      document.head.appendChild(script);
    });
    return plotly;
  }

  /** A module that the page shares, in its newest version. */
  async function sharedModule(name) {
    const versions = shared?.[name] ?? {};
    const [newest] = Object.keys(versions).sort((a, b) => b.localeCompare(a, undefined, { numeric: true }));
    if (!newest) throw new Error(`${NAME}: this page does not share ${name}`);
    const factory = await versions[newest].get();
    return factory();
  }

  function rendererClass(Widget) {
    return class PlotlyRenderer extends Widget {
      constructor() {
        super();
        this.addClass("jp-RenderedPlotly");
        this.node.style.width = "100%";
        this.node.style.overflow = "auto";
        this.observer = new ResizeObserver(() => this.fit());
        this.observer.observe(this.node);
      }

      async renderModel(model) {
        const { data = [], layout = {}, config = {}, frames } = model.data[MIME_TYPE] ?? {};
        try {
          const Plotly = await loadPlotly();
          if (this.isDisposed) return;
          const height = layout.height ?? 450;
          this.node.style.minHeight = `${height}px`;
          // Copies: plotly writes into what it is given, and the notebook would save that.
          const copy = (value) => JSON.parse(JSON.stringify(value));
          const options = { responsive: false, displaylogo: false, ...config };
          // react, not newPlot: an update of the output changes the figure in place, frames included.
          await Plotly.react(this.node, {
            data: copy(data),
            layout: { autosize: true, ...copy(layout), height },
            config: options,
            frames: copy(frames ?? []),
          });
          this.drawn = layout.width === undefined;
          this.fit();
        } catch (error) {
          this.node.textContent = `The figure could not be drawn: ${error.message}`;
        }
      }

      /** Follows the width of the cell, unless the figure has a width of its own. */
      fit() {
        if (!this.drawn || this.isDisposed || this.node.offsetWidth === 0) return;
        const width = this.node.clientWidth;
        if (width === this.width) return;
        this.width = width;
        void window.Plotly.relayout(this.node, { width });
      }

      dispose() {
        if (this.isDisposed) return;
        this.observer.disconnect();
        if (window.Plotly) window.Plotly.purge(this.node);
        super.dispose();
      }
    };
  }

  async function mimeExtension() {
    const { Widget } = await sharedModule("@lumino/widgets");
    const Renderer = rendererClass(Widget);
    const extension = {
      id: `${NAME}:renderer`,
      description: "Draws plotly figures.",
      rendererFactory: {
        safe: true,
        mimeTypes: [MIME_TYPE],
        defaultRank: 50,
        createRenderer: () => new Renderer(),
      },
      rank: 0,
      dataType: "json",
    };
    return { __esModule: true, default: extension };
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init(scope) {
      shared = scope;
    },
    async get(module) {
      if (module !== "./mimeExtension") throw new Error(`${NAME} has no module ${module}`);
      const exports = await mimeExtension();
      return () => exports;
    },
  };
})();

import { checkOptionNames, PersimmonError } from "../errors.js";
import { jupyterHost } from "../host.js";
import { bar } from "./bar.js";
import { Figure, figure, type Layout, type Trace } from "./figure.js";
import { heatmap } from "./heatmap.js";
import { histogram } from "./histogram.js";
import { line } from "./line.js";
import "./module.js";
import { bundleOf, isDisplayable, jupyterDisplay, type MimeBundle } from "./mime.js";
import { moduleTree } from "./module_tree.js";
import { progress } from "./progress.js";
import { colours, palette, scales } from "./style.js";
import { table } from "./table.js";
import { frameBundle, frameOf } from "./table_html.js";

export interface DisplayOptions {
  /** The value is a MIME bundle, to be sent as it is. */
  raw?: boolean;
  /** A name under which the output can be updated later. */
  id?: string;
  /** Update the outputs of that name instead of adding one. */
  update?: boolean;
  metadata?: Record<string, unknown>;
}

/**
 * Shows a value in the notebook, or prints it as text where there is none. What a value takes time to say about itself is
 * sent when the promise resolves; everything else is sent at once, without a promise, which a cell that ends here would show.
 * A cell that imports `display` from this library no longer sees the kernel's own function of that name, so this one can
 * do the same.
 */
function show(value: unknown, options: DisplayOptions = {}): Promise<void> | undefined {
  checkOptionNames("display", options, [
    "raw",
    "id",
    "update",
    "metadata",
  ] satisfies (keyof DisplayOptions)[]);
  const { raw, ...rest } = options;
  if (raw && (typeof value !== "object" || value === null)) {
    throw new PersimmonError(
      "DISPLAY_INVALID",
      "with raw: true, display needs a MIME bundle such as { 'text/plain': 'x' }",
    );
  }
  const bundle = raw ? (value as MimeBundle) : bundleOf(recognised(value));
  if (bundle instanceof Promise) return bundle.then((later) => send(later, rest));
  send(bundle, rest);
  return undefined;
}

/** Plotly figures and tables that were made elsewhere. */
function recognised(value: unknown): unknown {
  if (typeof value !== "object" || value === null || isDisplayable(value)) return value;
  const { data, layout, config } = value as { data?: Trace[]; layout?: Layout; config?: Layout };
  if (Array.isArray(data) && typeof layout === "object" && layout !== null)
    return new Figure(data, layout, config ?? {});
  const frame = frameOf(value);
  return frame === undefined ? value : { [jupyterDisplay]: () => frameBundle(frame, value) };
}

function send(bundle: MimeBundle, options: Omit<DisplayOptions, "raw"> = {}): void {
  const host = jupyterHost();
  if (host !== undefined) host.display(bundle, options);
  else process.stdout.write(`${String(bundle["text/plain"] ?? Object.values(bundle)[0] ?? "")}\n`);
}

const as = (type: string) => (value: string) => send({ [type]: value });

/**
 * `display(value)` shows a value; the builders below make figures, tables and progress bars in one style. They return
 * what they make, which a cell shows when it is its last expression.
 */
export const display = Object.assign(show, {
  figure,
  line,
  bar,
  histogram,
  heatmap,
  table,
  progress,
  moduleTree,
  /** The colours of the figures: `palette` for categories, `colours` with a meaning, `scales` for heat maps. */
  style: { palette, colours, scales },
  html: as("text/html"),
  markdown: as("text/markdown"),
  latex: as("text/latex"),
  svg: as("image/svg+xml"),
  text: as("text/plain"),
  /** A PNG picture: its bytes, or base64. */
  png: (bytes: Uint8Array | string) =>
    send({ "image/png": typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("base64") }),
  raw: (type: string, data: unknown) => send({ [type]: data }),
  /** Clears the output of the cell; with `wait` only when the next output comes. */
  clear: (options: { wait?: boolean } = {}) => jupyterHost()?.clearOutput(options),
});

export type Display = typeof display;

import { PersimmonError } from "../errors.js";
import { jupyterDisplay, type MimeBundle } from "./mime.js";
import { margin, size, template } from "./style.js";
import { withFittingTitle } from "./title.js";

/** One series of a figure, as plotly.js defines it: `{ type: "scatter", x, y, … }`. Typed arrays may be given. */
export type Trace = Record<string, unknown>;
/** Axes, titles and everything else around the series, as plotly.js defines it. */
export type Layout = Record<string, unknown>;

export const plotlyMimeType = "application/vnd.plotly.v1+json";

const config = {
  displaylogo: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};

/** A plotly figure in the style of this library. Its `data`, `layout` and `config` are what `Plotly.newPlot` takes. */
export class Figure {
  readonly data: Trace[];
  readonly layout: Layout;
  readonly config: Record<string, unknown>;

  constructor(data: readonly Trace[], layout: Layout, settings: Record<string, unknown>) {
    this.data = data.map((trace, index) => plain(trace, `data[${index}]`) as Trace);
    this.layout = plain(withFittingTitle({ template, margin, ...size, ...layout }), "layout") as Layout;
    this.config = plain({ ...config, ...settings }, "config") as Record<string, unknown>;
  }

  /** How a notebook shows it. The kernel adds HTML for pages without a renderer of figures, as to every figure. */
  [jupyterDisplay](): MimeBundle {
    const { data, layout, config } = this;
    return { [plotlyMimeType]: { data, layout, config }, "text/plain": String(this) };
  }

  /** One line, for those who see text only. */
  toString(): string {
    const { title } = this.layout as { title?: string | { text?: string } };
    const name = typeof title === "string" ? title : title?.text;
    const kinds = [...new Set(this.data.map((trace) => trace.type ?? "scatter"))].join(", ");
    return `Figure${name === undefined ? "" : ` "${name}"`} (${kinds})`;
  }
}

/**
 * A figure from plotly traces and a plotly layout, in the style of this library; whatever the layout says wins over the
 * style.
 * @throws PersimmonError FIGURE_INVALID where a part is no object, or holds what JSON cannot
 */
export function figure(
  data: readonly Trace[] | Trace,
  layout: Layout = {},
  config: Record<string, unknown> = {},
): Figure {
  const traces = Array.isArray(data) ? data : [data];
  for (const [index, trace] of traces.entries()) checkObject(trace, `data[${index}]`, "a trace");
  checkObject(layout, "layout", "a plotly layout");
  checkObject(config, "config", "a plotly configuration");
  return new Figure(traces, layout, config);
}

function checkObject(value: unknown, where: string, what: string): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value))
    return;
  throw new PersimmonError("FIGURE_INVALID", `${where} must be ${what} (an object), got ${shown(value)}`);
}

function shown(value: unknown): string {
  return Array.isArray(value) || ArrayBuffer.isView(value) ? "a list" : String(value);
}

/**
 * A copy as JSON can hold it: typed arrays become lists, numbers that are not finite become null (a gap in plotly), and
 * numbers keep six significant digits, which no screen shows and which halves the size of a notebook.
 */
function plain(value: unknown, where: string, above: readonly object[] = []): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
  if (typeof value === "bigint") return Number(value);
  if (value === null || value === undefined || typeof value === "string" || typeof value === "boolean")
    return value;
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== "object" || above.includes(value)) {
    const what = typeof value === "object" ? "an object that contains itself" : `a ${typeof value}`;
    throw new PersimmonError(
      "FIGURE_INVALID",
      `${where} holds ${what}; a figure holds numbers, texts, lists and objects`,
    );
  }
  const inside = [...above, value];
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    return Array.from(value as ArrayLike<unknown>, (element) => plain(element, where, inside) ?? null);
  }
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(entries.map(([key, part]) => [key, plain(part, `${where}.${key}`, inside)]));
}

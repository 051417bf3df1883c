import { PersimmonError } from "../errors.js";
import { type ChartOptions, chartLayout, checkChartOptions, checkSameLength, type Numbers } from "./chart.js";
import { type Figure, figure } from "./figure.js";
import { scales, size } from "./style.js";

/** A table of numbers: rows, or row-major data with a shape [rows, columns], as in a cache of activations. */
export type Matrix = readonly Numbers[] | { data: Numbers; shape: readonly number[] };

export interface HeatmapOptions extends ChartOptions {
  /** Labels of the columns; default 0, 1, 2, … */
  columns?: readonly (string | number)[];
  /** Labels of the rows; default 0, 1, 2, … */
  rows?: readonly (string | number)[];
  /** What the colours mean, with the unit. */
  values?: string;
  /** Amounts from zero, or deviations to both sides of the middle; "diverging" where there are negative numbers. */
  scale?: "sequential" | "diverging";
  /** Values of the two ends of the scale; default: the data's, around zero for a diverging scale. */
  range?: readonly [low: number, high: number];
  /** Format of values under the mouse and on the scale, as d3-format has it; ".3g". */
  format?: string;
  /** Text that stands in each cell; for tables with few cells. */
  cells?: readonly (readonly string[])[];
  /** Text of each cell under the mouse, above its value. */
  hover?: readonly (readonly string[])[];
  /** Row 0 at the bottom instead of at the top. */
  upwards?: boolean;
}

const optionNames = [
  "columns",
  "rows",
  "values",
  "scale",
  "range",
  "format",
  "cells",
  "hover",
  "upwards",
] satisfies (keyof HeatmapOptions)[];

/** More cells make a page slow; a picture on a screen cannot show them anyway. */
const mostCells = 400_000;

/** A table of numbers as colours. */
export function heatmap(matrix: Matrix, options: HeatmapOptions = {}): Figure {
  checkChartOptions("heatmap", options, optionNames);
  const z = rowsOf(matrix);
  const width = z[0]?.length ?? 0;
  if (z.length === 0 || width === 0) {
    throw new PersimmonError("FIGURE_INVALID", "a heat map needs at least one row and one column");
  }
  for (const [index, row] of z.entries()) checkSameLength(row, `row ${index}`, z[0], "row 0");
  if (z.length * width > mostCells) {
    throw new PersimmonError(
      "FIGURE_TOO_LARGE",
      `a heat map of ${z.length} × ${width} cells would stall the page (at most ${mostCells}): choose rows, or average neighbours`,
    );
  }
  if (options.rows) checkSameLength(options.rows, "rows", z, "the matrix");
  if (options.columns) checkSameLength(options.columns, "columns", z[0], "row 0");
  const [least, greatest] = extremes(z);
  const scale = options.scale ?? (least < 0 ? "diverging" : "sequential");
  const reach = Math.max(Math.abs(least), Math.abs(greatest));
  const [low, high] =
    options.range ?? (scale === "diverging" ? [-reach, reach] : [Math.min(0, least), greatest]);
  const format = options.format ?? ".3g";
  const place = `${options.y ?? "row"} %{y}, ${options.x ?? "column"} %{x}`;
  const trace = {
    type: "heatmap",
    z,
    x: labelled(options.columns, width),
    y: labelled(options.rows, z.length),
    zmin: low,
    zmax: high,
    colorscale: scales[scale],
    colorbar: { title: { text: options.values ?? "", side: "right" }, tickformat: format },
    ...(options.cells && { text: options.cells, texttemplate: "%{text}" }),
    ...(options.hover && { customdata: options.hover }),
    hovertemplate: `${place}<br>${options.hover ? "%{customdata}<br>" : ""}${options.values ?? "value"}: %{z:${format}}<extra></extra>`,
  };
  return figure(
    trace,
    chartLayout(options, {
      xaxis: { showgrid: false, ...ticks(options.columns, width, (options.width ?? size.width) - 170) },
      yaxis: {
        showgrid: false,
        ...ticks(options.rows, z.length, (options.height ?? size.height) - 140),
        ...(options.upwards !== true && { autorange: "reversed" }),
      },
    }),
  );
}

function rowsOf(matrix: Matrix): readonly Numbers[] {
  if (Array.isArray(matrix)) return matrix as readonly Numbers[];
  const { data, shape } = Object(matrix) as { data: Numbers; shape: readonly number[] };
  if (shape?.length !== 2 || data?.length !== shape[0] * shape[1]) {
    throw new PersimmonError(
      "FIGURE_INVALID",
      `a heat map needs rows of numbers, or { data, shape: [rows, columns] } with as many data; got shape [${shape}] and ${data?.length} data`,
    );
  }
  return Array.from({ length: shape[0] }, (_, row) => data.slice(row * shape[1], (row + 1) * shape[1]));
}

function extremes(z: readonly Numbers[]): [least: number, greatest: number] {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const row of z) {
    for (const value of row) {
      if (!Number.isFinite(value)) continue;
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
    }
  }
  return least <= greatest ? [least, greatest] : [0, 1];
}

/** Numbers stay numbers; texts become positions, whose ticks show them (equal texts would be merged otherwise). */
function labelled(labels: readonly (string | number)[] | undefined, count: number): (string | number)[] {
  if (labels?.every((label) => typeof label === "number")) return [...labels];
  return Array.from({ length: count }, (_, at) => at);
}

/** Pixels that a label needs to stand apart from the next. */
const labelSpace = 12;

/** Every label where there is room, else as many as do not lie over one another. */
function ticks(labels: readonly (string | number)[] | undefined, count: number, pixels: number) {
  const most = Math.max(1, Math.floor(pixels / labelSpace));
  if (labels?.some((label) => typeof label === "string")) {
    const step = Math.ceil(count / most);
    const shown = labels.map((_, at) => at).filter((at) => at % step === 0);
    return { tickmode: "array", tickvals: shown, ticktext: shown.map((at) => String(labels[at])) };
  }
  return count <= most / 2 ? { dtick: 1 } : {};
}

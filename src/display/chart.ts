import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import type { Layout } from "./figure.js";

/** What every chart can be told. */
export interface ChartOptions {
  /** What one sees, in a few words. What does not fit into a line goes on below it. */
  title?: string;
  /** Under the title, in smaller letters: of what, over how much. */
  subtitle?: string;
  /** Title of the horizontal axis, with its unit. */
  x?: string;
  /** Title of the vertical axis, with its unit. */
  y?: string;
  /** Pixels; 820. */
  width?: number;
  /** Pixels; 400. Further lines of title and subtitle are added to it. */
  height?: number;
  /** Parts of a plotly layout that win over everything else. */
  layout?: Layout;
}

const chartOptionNames = [
  "title",
  "subtitle",
  "x",
  "y",
  "width",
  "height",
  "layout",
] satisfies (keyof ChartOptions)[];

/**
 * @param more names that the kind of chart has besides those of all
 * @throws PersimmonError OPTION_UNKNOWN, OPTION_INVALID
 */
export function checkChartOptions(caller: string, options: object, more: readonly string[]): void {
  checkOptionNames(caller, options, [...more, ...chartOptionNames]);
}

/** Numbers in a row: a list or a typed array. */
export type Numbers = readonly number[] | Float32Array | Float64Array | Int32Array | Uint32Array;

/** The layout for the options; `more` is what the kind of chart adds. */
export function chartLayout(options: ChartOptions, more: Layout = {}): Layout {
  for (const name of ["width", "height"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= 50 && value <= 10_000)) {
      throw new PersimmonError(
        "FIGURE_INVALID",
        `${name} must be from 50 to 10000 pixels, got ${valueText(value)}`,
      );
    }
  }
  const { title, subtitle, width, height } = options;
  const base: Layout = {
    ...(title !== undefined && {
      title: { text: title, ...(subtitle !== undefined && { subtitle: { text: subtitle } }) },
    }),
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    xaxis: { title: { text: options.x } },
    yaxis: { title: { text: options.y } },
  };
  const layout = merged(merged(base, more), options.layout ?? {});
  return { ...layout, xaxis: withWholeTicks(layout.xaxis, 5), yaxis: withWholeTicks(layout.yaxis, 4) };
}

/** Ticks that decide themselves how they are written, or where they are. */
const tickSettings = ["tickformat", "exponentformat", "dtick", "nticks", "tickvals"];

/**
 * On a logarithmic axis plotly writes 200 as a small "2" between 100 and 1000: numbers are written out instead, and few
 * enough that 80, 90 and 100 do not lie over one another.
 */
function withWholeTicks(axis: unknown, nticks: number): unknown {
  if (!isPlainObject(axis) || axis.type !== "log") return axis;
  return tickSettings.some((name) => axis[name] !== undefined)
    ? axis
    : { ...axis, tickformat: ",~r", nticks };
}

/** Objects are merged key by key; of everything else the latter wins. */
function merged(a: Layout, b: Layout): Layout {
  const result = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const old = result[key];
    result[key] = isPlainObject(old) && isPlainObject(value) ? merged(old, value) : value;
  }
  return result;
}

function isPlainObject(value: unknown): value is Layout {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Throws `FIGURE_INVALID` unless `value` is a list. */
export function checkList(value: unknown, where: string): void {
  if (isList(value)) return;
  throw new PersimmonError("FIGURE_INVALID", `${where} must be a list, got ${valueText(value)}`);
}

function isList(value: unknown): boolean {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** Throws `FIGURE_INVALID` unless `value` is a list of numbers. */
export function checkNumbers(value: unknown, where: string): asserts value is Numbers {
  if (!isList(value)) {
    throw new PersimmonError("FIGURE_INVALID", `${where} must be a list of numbers, got ${valueText(value)}`);
  }
  const wrong = (value as unknown[]).findIndex((element) => typeof element !== "number");
  if (wrong >= 0) {
    const found = valueText((value as unknown[])[wrong]);
    throw new PersimmonError("FIGURE_INVALID", `${where}[${wrong}] must be a number, got ${found}`);
  }
}

/** Throws `FIGURE_INVALID` unless a series is an object that has its numbers under a name. */
export function checkSeries(series: unknown, caller: string, example: string): void {
  if (typeof series === "object" && series !== null) return;
  throw new PersimmonError("FIGURE_INVALID", `${caller} takes ${example}, got ${valueText(series)}`);
}

/** Throws `FIGURE_INVALID` unless there are as many of one as of the other. */
export function checkSameLength(
  a: ArrayLike<unknown>,
  aName: string,
  b: ArrayLike<unknown>,
  bName: string,
): void {
  if (a.length === b.length) return;
  throw new PersimmonError(
    "FIGURE_INVALID",
    `${aName} has ${a.length} entries, but ${bName} has ${b.length}: each point needs both`,
  );
}

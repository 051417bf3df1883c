import {
  type ChartOptions,
  chartLayout,
  checkChartOptions,
  checkNumbers,
  checkSameLength,
  checkSeries,
  type Numbers,
} from "./chart.js";
import { type Figure, figure, type Trace } from "./figure.js";

/** One line of a line chart. */
export interface LineSeries {
  /** What the line is, for the legend. */
  name?: string;
  /** Default: 0, 1, 2, … */
  x?: Numbers | readonly string[];
  y: Numbers;
  /** Text of each point while the mouse is on it; default: the values. */
  hover?: readonly string[];
  color?: string;
  dash?: "solid" | "dash" | "dot";
  /** Fill down to zero. */
  fill?: boolean;
}

export interface LineOptions extends ChartOptions {
  /** Show the points: default up to 40 of them. */
  markers?: boolean;
}

/**
 * Lines over a common axis.
 * @param series numbers, one series, or several
 * @throws PersimmonError FIGURE_INVALID, OPTION_UNKNOWN
 */
export function line(
  series: Numbers | LineSeries | readonly LineSeries[],
  options: LineOptions = {},
): Figure {
  checkChartOptions("line", options, ["markers"]);
  const list = seriesOf(series);
  const traces = list.map((each, index): Trace => {
    checkSeries(each, "line", "numbers, { y }, or a list of them");
    const { name, x, y, hover, color, dash, fill } = each;
    const where = list.length === 1 ? "y" : `series[${index}].y`;
    checkNumbers(y, where);
    if (x !== undefined) checkSameLength(x, "x", y, where);
    const markers = options.markers ?? y.length <= 40;
    return {
      type: "scatter",
      mode: markers ? "lines+markers" : "lines",
      ...(name !== undefined && { name }),
      x: x ?? Array.from(y, (_, at) => at),
      y,
      ...(hover !== undefined && { hovertext: hover, hoverinfo: "text" }),
      line: { ...(color !== undefined && { color }), ...(dash !== undefined && { dash }) },
      ...(fill === true && { fill: "tozeroy" }),
    };
  });
  return figure(traces, chartLayout(options, { showlegend: list.some(({ name }) => name !== undefined) }));
}

function seriesOf(series: Numbers | LineSeries | readonly LineSeries[]): readonly LineSeries[] {
  if (Array.isArray(series) && typeof series[0] === "object") return series as readonly LineSeries[];
  if (Array.isArray(series) || ArrayBuffer.isView(series)) return [{ y: series as Numbers }];
  return [series as LineSeries];
}

import {
  type ChartOptions,
  chartLayout,
  checkChartOptions,
  checkList,
  checkNumbers,
  checkSameLength,
  checkSeries,
  type Numbers,
} from "./chart.js";
import { type Figure, figure, type Trace } from "./figure.js";
import { colours } from "./style.js";

/** Bars of one kind. */
export interface BarSeries {
  /** What the bars are, for the legend. */
  name?: string;
  /** One for each bar. Equal labels stay separate bars. */
  labels: readonly (string | number)[];
  values: Numbers;
  /** One colour for all, or one for each bar. */
  color?: string | readonly string[];
  /** Texts on the bars. */
  text?: readonly string[];
  /** Texts shown while the mouse is on a bar; default: label and value. */
  hover?: readonly string[];
}

export interface BarOptions extends ChartOptions {
  /** Bars that lie, the first on top: for labels that are words. */
  horizontal?: boolean;
  /** Several series side by side, or on top of one another; "group". */
  mode?: "group" | "stack";
}

/**
 * Bars, of one series or of several with the same labels.
 * @throws PersimmonError FIGURE_INVALID, OPTION_UNKNOWN
 */
export function bar(series: BarSeries | readonly BarSeries[], options: BarOptions = {}): Figure {
  checkChartOptions("bar", options, ["horizontal", "mode"]);
  const list = Array.isArray(series) ? (series as readonly BarSeries[]) : [series as BarSeries];
  const horizontal = options.horizontal ?? false;
  const traces = list.map((each, index): Trace => {
    checkSeries(each, "bar", "{ labels, values }, or a list of them");
    const { name, labels, values, color, text, hover } = each;
    checkList(labels, "labels");
    checkNumbers(values, list.length === 1 ? "values" : `series[${index}].values`);
    checkSameLength(labels, "labels", values, "values");
    // Positions, with the labels as their ticks: plotly would merge bars of equal labels, such as the token "the" twice.
    const places = labels.map((_, at) => at);
    return {
      type: "bar",
      ...(name !== undefined && { name }),
      ...(horizontal ? { y: places, x: values, orientation: "h" } : { x: places, y: values }),
      marker: { color: color ?? (list.length === 1 ? colours.main : undefined) },
      ...(text !== undefined && { text, textposition: "auto", textangle: 0, cliponaxis: false }),
      hovertext: hover ?? labels.map((label, at) => `${label}: ${Number(values[at].toPrecision(4))}`),
      hoverinfo: list.length > 1 ? "text+name" : "text",
    };
  });
  const labels = list[0]?.labels ?? [];
  const labelAxis = {
    tickmode: "array",
    tickvals: labels.map((_, at) => at),
    ticktext: labels.map(String),
    showgrid: false,
    range: horizontal ? [labels.length - 0.5, -0.5] : [-0.5, labels.length - 0.5],
  };
  return figure(
    traces,
    chartLayout(options, {
      barmode: options.mode ?? "group",
      showlegend: list.length > 1,
      [horizontal ? "yaxis" : "xaxis"]: labelAxis,
    }),
  );
}

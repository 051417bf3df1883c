import { PersimmonError } from "../errors.js";
import { optionChecks } from "../option_checks.js";
import {
  type ChartOptions,
  chartLayout,
  checkChartOptions,
  checkNumbers,
  checkSameLength,
  type Numbers,
} from "./chart.js";
import { type Figure, figure } from "./figure.js";
import { short } from "./numbers.js";
import { colours } from "./style.js";

/** Counts between edges: `counts[i]` values were from `edges[i]` to below `edges[i + 1]`. */
export interface Counted {
  edges: Numbers;
  counts: Numbers;
}

export interface HistogramOptions extends ChartOptions {
  /** Number of bins of equal width; 60. Not for counts. */
  bins?: number;
  /** Show the share of all values in each bin rather than their number. */
  share?: boolean;
  /** A logarithmic vertical axis. */
  log?: boolean;
  /** Colour of each bin, by its middle. */
  colorOf?: (middle: number) => string;
}

/** How values are distributed. They are counted here, so that the notebook holds the counts only. */
export function histogram(values: Numbers | Counted, options: HistogramOptions = {}): Figure {
  checkChartOptions("histogram", options, ["bins", "share", "log", "colorOf"]);
  const { edges, counts } = isCounted(values) ? values : countInBins(values, options.bins ?? 60);
  checkNumbers(edges, "edges");
  checkNumbers(counts, "counts");
  checkSameLength(edges, "edges (one more than counts)", { length: counts.length + 1 }, "counts + 1");
  let total = 0;
  for (const count of counts) total += count;
  const middles = Array.from(counts, (_, bin) => (edges[bin] + edges[bin + 1]) / 2);
  const widths = Array.from(counts, (_, bin) => edges[bin + 1] - edges[bin]);
  const heights = Array.from(counts, (count) => (options.share ? count / Math.max(1, total) : count));
  const trace = {
    type: "bar",
    x: middles,
    y: heights,
    width: widths,
    marker: { color: options.colorOf ? middles.map(options.colorOf) : colours.main },
    hovertext: middles.map(
      (_, bin) =>
        `${short(edges[bin])} to ${short(edges[bin + 1])}: ${short(counts[bin])} (${short((100 * counts[bin]) / Math.max(1, total))} %)`,
    ),
    hoverinfo: "text",
  };
  return figure(
    trace,
    chartLayout(
      { y: options.share ? "share of values" : "values", ...options },
      {
        bargap: 0,
        yaxis: {
          ...(options.log && { type: "log", exponentformat: "power", dtick: 1 }),
          ...(options.share && !options.log && { tickformat: ".0%" }),
        },
      },
    ),
  );
}

function isCounted(values: Numbers | Counted): values is Counted {
  return typeof values === "object" && values !== null && "counts" in values && "edges" in values;
}

/** Counts values in bins of equal width between the least and the greatest; values that are not finite are left out. */
export function countInBins(values: Numbers, bins: number): Counted {
  checkNumbers(values, "values");
  optionChecks((message) => new PersimmonError("FIGURE_INVALID", message)).whole("bins", bins, 1, 10_000);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) throw new PersimmonError("FIGURE_INVALID", "a histogram needs at least one finite value");
  // Equal values, and values so close that no number lies between the edges of a bin, still get bins of some width.
  if (low + (high - low) / bins === low) {
    low -= 0.5;
    high += 0.5;
  }
  const width = (high - low) / bins;
  const counts = new Float64Array(bins);
  for (const value of values) {
    if (Number.isFinite(value)) counts[Math.min(bins - 1, Math.floor((value - low) / width))]++;
  }
  return { edges: Float64Array.from({ length: bins + 1 }, (_, bin) => low + bin * width), counts };
}

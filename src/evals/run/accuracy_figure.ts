import { chartLayout } from "../../display/chart.js";
import { type Figure, figure } from "../../display/figure.js";
import { escapeHtml } from "../../display/html.js";
import { colours } from "../../display/style.js";
import type { Tally } from "../statistics/proportion.js";
import type { EvalResult } from "./eval_result.js";

/** Kinds that are shown at most; MMLU has 57 subjects. */
const mostKinds = 24;

/** A bar and what is said while the mouse is on it. */
export interface AccuracyBar {
  name: string;
  /** From 0 to 1. */
  share: number;
  interval: readonly [number, number] | undefined;
  hover: string;
  colour?: string;
}

/** Accuracy of all, by the other reading, and by kind, each with its 95 % interval. */
export function accuracyFigure(result: EvalResult, title: string, lines: readonly string[]): Figure {
  const { lenient, accuracy, wilson, correct, n } = result.summary;
  const bars: AccuracyBar[] = [
    { name: "all", share: accuracy ?? 0, interval: wilson ?? undefined, hover: `${correct} of ${n}` },
    ...(lenient === null
      ? []
      : [
          {
            name: result.manifest.method === "generate" ? "lenient" : "acc_norm",
            share: lenient.accuracy,
            interval: undefined,
            hover: `${lenient.correct} of ${n}`,
            colour: colours.quiet,
          },
        ]),
    ...[...result.byKind()]
      .slice(0, mostKinds)
      .map(([name, tally]) => ({ ...barOf(name, tally), colour: colours.axis })),
  ];
  return barsFigure(bars, title, lines);
}

export function barOf(name: string, { accuracy, interval, correct, n }: Tally): AccuracyBar {
  return { name, share: n === 0 ? 0 : accuracy, interval, hover: `${correct} of ${n}` };
}

/** Lying bars with whiskers, the first on top. */
export function barsFigure(bars: readonly AccuracyBar[], title: string, lines: readonly string[]): Figure {
  const percentOf = (share: number) => 100 * share;
  const places = bars.map((_, at) => at);
  const off = (side: 0 | 1) =>
    bars.map(({ share, interval }) =>
      interval === undefined ? 0 : percentOf(Math.abs(interval[side] - share)),
    );
  return figure(
    {
      type: "bar",
      orientation: "h",
      x: bars.map(({ share }) => percentOf(share)),
      y: places,
      marker: { color: bars.map(({ colour }) => colour ?? colours.main) },
      error_x: {
        type: "data",
        symmetric: false,
        array: off(1),
        arrayminus: off(0),
        color: colours.ink,
        thickness: 1.2,
        width: 4,
      },
      hovertext: bars.map(
        ({ name, share, hover }) => `${escapeHtml(name)}: ${percentOf(share).toFixed(1)} %, ${hover}`,
      ),
      hoverinfo: "text",
    },
    chartLayout(
      {
        title: escapeHtml(title),
        subtitle: lines.map((line) => escapeHtml(line)).join("<br>"),
        x: "right answers (%), with 95 % intervals",
        height: 140 + 30 * Math.max(2, bars.length),
      },
      {
        xaxis: { range: [0, 100] },
        yaxis: {
          tickmode: "array",
          tickvals: places,
          ticktext: bars.map(({ name }) => escapeHtml(name)),
          showgrid: false,
          range: [bars.length - 0.5, -0.5],
        },
      },
    ),
  );
}

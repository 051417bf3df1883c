/**
 * The look of every figure, in one place. Categories have the colours of Okabe and Ito (Color Universal Design, 2008),
 * which people with any form of colour blindness can tell apart. The scales are monotone in lightness (YlOrBr, for
 * amounts) or have two hues that everyone can tell apart (PuOr, around a middle), both from ColorBrewer.
 */
import type { Layout } from "./figure.js";

/** Colours of categories, in the order in which they are given out. */
export const palette = [
  "#0072B2", // blue
  "#E69F00", // orange
  "#009E73", // green
  "#CC79A7", // pink
  "#56B4E9", // sky
  "#D55E00", // vermilion
  "#8C6D31", // brown, in place of the original yellow, which is too light for lines on white
  "#000000",
] as const;

/** Colours with a fixed meaning. */
export const colours = {
  main: palette[0],
  accent: palette[5],
  quiet: "#B8BEC7",
  ink: "#22272E",
  faint: "#6B7480",
  grid: "#E8EBEF",
  axis: "#AEB6C1",
} as const;

type Scale = [at: number, colour: string][];

function evenly(...stops: string[]): Scale {
  return stops.map((colour, index) => [index / (stops.length - 1), colour]);
}

/** Scales of heat maps. */
export const scales = {
  /** From nothing (white) to much (dark brown). */
  sequential: evenly(
    "#FFFFFF",
    "#FFF3C9",
    "#FEE391",
    "#FEC44F",
    "#FE9929",
    "#EC7014",
    "#CC4C02",
    "#8C2D04",
    "#4D1602",
  ),
  /** From low (purple) over the middle (white) to high (orange). */
  diverging: evenly(
    "#542788",
    "#8073AC",
    "#B2ABD2",
    "#D8DAEB",
    "#F7F7F7",
    "#FEE0B6",
    "#FDB863",
    "#E08214",
    "#B35806",
  ),
} as const satisfies Record<string, Scale>;

const font = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif";

const axis = {
  automargin: true,
  gridcolor: colours.grid,
  linecolor: colours.axis,
  tickcolor: colours.axis,
  ticks: "outside",
  ticklen: 4,
  showline: true,
  zeroline: false,
  title: { standoff: 10, font: { size: 13, color: colours.ink } },
  tickfont: { size: 12, color: colours.ink },
};

const colorbar = { outlinewidth: 0, ticks: "outside", ticklen: 4, thickness: 14, tickfont: { size: 12 } };

/** What every figure has unless its layout says otherwise. */
export const template: Layout = {
  layout: {
    font: { family: font, size: 13, color: colours.ink },
    title: {
      font: { size: 17 },
      subtitle: { font: { size: 13, color: colours.faint } },
      xanchor: "left",
    },
    paper_bgcolor: "#FFFFFF",
    plot_bgcolor: "#FFFFFF",
    colorway: [...palette],
    xaxis: axis,
    yaxis: axis,
    legend: { font: { size: 12 }, bgcolor: "rgba(255,255,255,0.7)" },
    hoverlabel: { font: { family: font, size: 13 }, align: "left" },
    hovermode: "closest",
    bargap: 0.15,
  },
  data: {
    heatmap: [{ colorbar, xgap: 0, ygap: 0 }],
    bar: [{ marker: { line: { width: 0 } } }],
    scatter: [{ line: { width: 2.25 }, marker: { size: 6 } }],
  },
};

/** Size of a figure in a notebook, in pixels: the whole cell leaves room for it on a laptop. */
export const size = { width: 820, height: 400 } as const;

export const margin = { l: 70, r: 30, t: 70, b: 55 } as const;

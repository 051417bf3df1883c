import { type Figure, figure, type Layout, type Trace } from "../display/figure.js";
import { colours, scales } from "../display/style.js";
import { PersimmonError } from "../errors.js";
import type { AttentionPatterns } from "./attention_patterns_result.js";

const mostCells = 400_000;
/** Tokens whose labels can be read beside a panel. */
const mostLabels = 40;

/** Heat maps of patterns: a row of panels for each layer, a column for each head. */
export function patternGrid(
  patterns: AttentionPatterns,
  layers: readonly number[],
  heads: readonly number[],
): Figure {
  const { tokens } = patterns;
  const panels = layers.length * heads.length;
  if (panels === 0) throw new PersimmonError("FIGURE_INVALID", "choose at least one layer and one head");
  if (panels * tokens.length ** 2 > mostCells) {
    throw new PersimmonError(
      "FIGURE_TOO_LARGE",
      `${panels} patterns of ${tokens.length} × ${tokens.length} tokens would stall the page (at most ${mostCells} cells): choose fewer layers or heads`,
    );
  }
  const side = panelSide(heads.length, tokens.length);
  const gap = { x: 26, y: 34 };
  const edge = { left: 90, top: 104, right: 70, bottom: 90 };
  const width = heads.length * (side + gap.x) - gap.x;
  const height = layers.length * (side + gap.y) - gap.y;
  const traces: Trace[] = [];
  const layout: Layout = {
    title: {
      text: "Attention patterns",
      subtitle: { text: "row: the token that looks; column: the token that it looks at" },
    },
    width: width + edge.left + edge.right,
    height: height + edge.top + edge.bottom,
    margin: { l: edge.left, r: edge.right, t: edge.top, b: edge.bottom },
    coloraxis: {
      colorscale: scales.sequential,
      cmin: 0,
      cmax: 1,
      colorbar: { title: { text: "attention", side: "right" }, thickness: 12, tickformat: ".1f" },
    },
    annotations: [] as Layout[],
  };
  for (const [row, layer] of layers.entries()) {
    for (const [column, head] of heads.entries()) {
      const suffix = traces.length === 0 ? "" : String(traces.length + 1);
      const left = (column * (side + gap.x)) / width;
      const right = left + side / width;
      const top = 1 - (row * (side + gap.y)) / height;
      const bottom = top - side / height;
      traces.push(panel(patterns, layer, head, suffix));
      layout[`xaxis${suffix}`] = {
        ...axisOf(tokens, row === layers.length - 1),
        domain: [left, right],
        anchor: `y${suffix}`,
        tickangle: -90,
      };
      layout[`yaxis${suffix}`] = {
        ...axisOf(tokens, column === 0),
        domain: [Math.max(0, bottom), top],
        anchor: `x${suffix}`,
        autorange: "reversed",
      };
      (layout.annotations as Layout[]).push({
        text: `layer ${layer}, head ${head}`,
        x: (left + right) / 2,
        y: top,
        xref: "paper",
        yref: "paper",
        xanchor: "center",
        yanchor: "bottom",
        showarrow: false,
        font: { size: 12, color: colours.ink },
      });
    }
  }
  return figure(traces, layout);
}

function panel(patterns: AttentionPatterns, layer: number, head: number, suffix: string): Trace {
  const { tokens } = patterns;
  const count = tokens.length;
  const pattern = patterns.pattern(layer, head);
  // What comes later cannot be looked at: no colour rather than the colour of 0.
  const z = tokens.map((_, row) =>
    Array.from(pattern.subarray(row * count, row * count + row + 1), (value) => Number(value.toPrecision(3))),
  );
  for (const row of z) while (row.length < count) row.push(Number.NaN);
  return {
    type: "heatmap",
    z,
    xaxis: `x${suffix}`,
    yaxis: `y${suffix}`,
    coloraxis: "coloraxis",
    hoverongaps: false,
    customdata: tokens.map((from) => tokens.map((to) => `${from} → ${to}`)),
    hovertemplate: `layer ${layer}, head ${head}<br>%{customdata}: %{z:.1%}<extra></extra>`,
  };
}

function axisOf(tokens: readonly string[], isOuter: boolean): Layout {
  const isLabelled = isOuter && tokens.length <= mostLabels;
  return {
    showgrid: false,
    ticks: "",
    showticklabels: isOuter,
    ...(isLabelled && {
      tickmode: "array",
      tickvals: tokens.map((_, at) => at),
      ticktext: tokens,
      tickfont: { size: 10 },
    }),
    automargin: true,
  };
}

/** Pixels of a panel: large for one, smaller for many, and never smaller than its labels need. */
function panelSide(columns: number, tokens: number): number {
  const readable = tokens <= mostLabels ? tokens * 11 : 160;
  return Math.max(readable, Math.min(420, Math.floor(820 / columns) - 30), 110);
}

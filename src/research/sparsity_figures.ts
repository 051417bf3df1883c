import { bar } from "../display/bar.js";
import type { Figure } from "../display/figure.js";
import { heatmap } from "../display/heatmap.js";
import { histogram } from "../display/histogram.js";
import { line } from "../display/line.js";
import { bytes, grouped, percent } from "../display/numbers.js";
import { colours } from "../display/style.js";
import { readablePiece } from "../display/token_text.js";
import { PersimmonError } from "../errors.js";
import type { MlpSparsity } from "./sparsity_result.js";
import type { WeightBytes } from "./weight_bytes.js";

function layerNames(result: MlpSparsity): string[] {
  return Array.from(result.zeroFraction, (_, layer) => String(layer));
}

export function layerFigure(result: MlpSparsity): Figure {
  const shares = result.zeroFraction;
  return bar(
    {
      labels: layerNames(result),
      values: shares,
      ...(shares.length <= 16 && { text: Array.from(shares, percent) }),
      hover: Array.from(
        shares,
        (share, layer) =>
          `layer ${layer}: ${percent(share)} zeros, ${result.neverActive(layer)} neurons never active`,
      ),
    },
    {
      title: "Zeros after squared ReLU, by layer",
      subtitle: `share of exactly zero activations over ${grouped(result.tokens)} tokens; mean ${percent(result.meanZeroFraction)}`,
      x: "layer",
      y: "zero activations",
      height: 360,
      layout: { yaxis: { range: [0, 1.05], tickformat: ".0%" } },
    },
  );
}

export function tokenFigure(
  result: MlpSparsity,
  { start = 0, end = start + 56 }: { start?: number; end?: number },
): Figure {
  const [layers, tokens] = result.zeroFractionByToken.shape;
  if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end)) {
    throw new PersimmonError(
      "SPARSITY_OPTIONS_INVALID",
      `start and end must be whole numbers with 0 <= start < end, got ${start} and ${end}`,
    );
  }
  const last = Math.min(end, tokens);
  const rows = Array.from({ length: layers }, (_, layer) =>
    result.zeroFractionByToken.data.subarray(layer * tokens + start, layer * tokens + last),
  );
  const pieces = result.pieces.slice(start, last).map((piece) => readablePiece(piece).trim() || "␣");
  const least = Math.min(...rows.map((row) => Math.min(...row)));
  return heatmap(rows, {
    title: "Zeros after squared ReLU, token by token",
    subtitle: `lighter: more neurons at work for this token; tokens ${start} to ${last - 1} of ${grouped(tokens)}`,
    columns: pieces,
    rows: layerNames(result),
    x: "token",
    y: "layer",
    values: "zero activations",
    format: ".0%",
    // Around the values that occur: from 0 to 1 all tokens would look alike.
    range: [Math.floor(least * 20) / 20, 1],
    width: Math.max(560, Math.min(940, 180 + 14 * pieces.length)),
    height: Math.min(900, 210 + 24 * layers),
    hover: rows.map(() => pieces.map((piece, at) => `token ${start + at}: ${piece}`)),
    layout: { xaxis: { tickangle: -60, tickfont: { size: 11 } } },
  });
}

export function positionFigure(result: MlpSparsity): Figure {
  const { data, shape, texts } = result.zeroFractionByPosition();
  const [layers, longest] = shape;
  // Far back, where less than a tenth of the texts reach, the lines would show single texts.
  const positions = texts.findLastIndex((count) => count >= texts[0] / 10) + 1;
  const width = Math.max(1, Math.ceil(positions / 100));
  const groups = Array.from({ length: Math.ceil(positions / width) }, (_, group) => group * width);
  const mean = (layer: number, from: number) => {
    let sum = 0;
    let weight = 0;
    for (let at = from; at < Math.min(positions, from + width); at++) {
      sum += data[layer * longest + at] * texts[at];
      weight += texts[at];
    }
    return sum / weight;
  };
  return line(
    Array.from({ length: layers }, (_, layer) => ({
      name: `layer ${layer}`,
      x: groups,
      y: groups.map((from) => mean(layer, from)),
      hover: groups.map(
        (from) =>
          `layer ${layer}, position ${from}: ${percent(mean(layer, from))} zeros, ${texts[from]} texts`,
      ),
    })),
    {
      title: "Zeros after squared ReLU, by position in the text",
      subtitle: `mean over the texts (${texts[0]} at the start, ${texts[positions - 1]} at the end)${width > 1 ? ` and over ${width} positions` : ""}`,
      x: "position (tokens)",
      y: "zero activations",
      markers: false,
      layout: { yaxis: { tickformat: ".0%" }, showlegend: layers <= 12 },
    },
  );
}

export function firingFigure(result: MlpSparsity): Figure {
  const [layers, width] = result.firing.shape;
  const columns = Math.min(256, width);
  const perColumn = width / columns;
  const rows = Array.from({ length: layers }, (_, layer) => {
    const rates = Float64Array.from(result.firingOf(layer), (times) => times / result.tokens)
      .sort()
      .reverse();
    return Float64Array.from({ length: columns }, (_, column) => {
      const part = rates.subarray(Math.floor(column * perColumn), Math.floor((column + 1) * perColumn));
      return part.reduce((sum, rate) => sum + rate, 0) / part.length;
    });
  });
  return heatmap(rows, {
    title: "How often each neuron fires",
    subtitle: `neurons of each layer from the busiest to the quietest, over ${grouped(result.tokens)} tokens`,
    columns: Array.from({ length: columns }, (_, column) => Math.floor(column * perColumn)),
    rows: layerNames(result),
    x: "neuron by rank",
    y: "layer",
    values: "tokens with activity",
    format: ".0%",
    height: Math.min(900, 240 + 26 * layers),
    layout: { xaxis: { dtick: undefined } },
  });
}

export function preActivationFigure(result: MlpSparsity, layer?: number): Figure {
  const { edges, counts, below, above } = result.preActivations;
  const bins = edges.length - 1;
  const layers = result.zeroFraction.length;
  if (layer !== undefined && !(Number.isInteger(layer) && layer >= 0 && layer < layers)) {
    throw new PersimmonError("INDEX_OUT_OF_RANGE", `layer ${layer} of a model with ${layers} layers`);
  }
  const chosen = layer === undefined ? Array.from({ length: layers }, (_, n) => n) : [layer];
  const summed = Float64Array.from({ length: bins }, (_, bin) =>
    chosen.reduce((sum, n) => sum + counts[n * bins + bin], 0),
  );
  const outside = chosen.reduce((sum, n) => sum + below[n] + above[n], 0);
  const inside = summed.reduce((sum, count) => sum + count, 0);
  const negative = chosen.reduce((sum, n) => sum + result.zeroFraction[n], 0) / chosen.length;
  return histogram(
    { edges, counts: summed },
    {
      title: `Values before squared ReLU${layer === undefined ? "" : `, layer ${layer}`}`,
      subtitle: `grey: becomes zero (${percent(negative)}); blue: passes and is squared. ${percent(outside / (inside + outside))} lie outside of the picture`,
      x: "pre-activation",
      share: true,
      colorOf: (middle) => (middle < 0 ? colours.quiet : colours.main),
      layout: {
        shapes: [
          { type: "line", x0: 0, x1: 0, yref: "paper", y0: 0, y1: 1, line: { color: colours.ink, width: 1 } },
        ],
      },
    },
  );
}

/** Weights that a token reads, with and without the rows of zeros. */
export function weightBytesFigure(
  weights: WeightBytes,
  subtitle: string,
  title = "Weights that one token reads",
): Figure {
  const parts = weights.parts.filter((part) => part.dense > weights.dense / 200);
  const { dense, skipping } = weights;
  const [unit, size] = dense >= 1e9 ? ["GB", 1e9] : ["MB", 1e6];
  return bar(
    [
      {
        name: "all rows",
        labels: parts.map((part) => part.name),
        values: parts.map((part) => part.dense / size),
        color: colours.quiet,
        text: parts.map((part) => bytes(part.dense)),
      },
      {
        name: "without rows of zeros (computed)",
        labels: parts.map((part) => part.name),
        values: parts.map((part) => part.skipping / size),
        color: colours.main,
        text: parts.map((part) => bytes(part.skipping)),
      },
    ],
    {
      title: `${title}: ${bytes(dense)}, or ${bytes(skipping)} without rows of zeros`,
      subtitle: `${percent(1 - skipping / dense)} less, so at most ${(dense / skipping).toFixed(2)} times as fast; ${subtitle}`,
      y: `${unit} a token`,
      layout: { legend: { orientation: "h", y: -0.15 } },
    },
  );
}

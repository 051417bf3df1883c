import type { DataFrame } from "danfojs-node";
import type { Figure } from "../display/figure.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { bytes, grouped, percent } from "../display/numbers.js";
import { table } from "../display/table.js";
import { tableHtml } from "../display/table_html.js";
import type { PersimmonConfig } from "../model/config.js";
import type { LayerHistogram, SparsityCounts } from "./sparsity_counts.js";
import * as figures from "./sparsity_figures.js";
import { type WeightBytes, weightBytesPerToken } from "./weight_bytes.js";

/** Zeros of squared ReLU over some text: counts, shares and figures. */
export class MlpSparsity {
  readonly config: PersimmonConfig;
  readonly dtype: string;
  /** The tokens read, text after text. */
  readonly ids: Int32Array;
  /** Of each token in its text. */
  readonly positions: Int32Array;
  /** Each token as the tokenizer has it. */
  readonly pieces: readonly string[];
  /** Share of zeros in each layer. */
  readonly zeroFraction: Float64Array;
  /** Share of zeros of each token, [layers, tokens] */
  readonly zeroFractionByToken: { data: Float32Array; shape: [layers: number, tokens: number] };
  /** For how many tokens each neuron was not zero, [layers, intermediate] */
  readonly firing: { data: Uint32Array; shape: [layers: number, neurons: number] };
  /** How the values before squared ReLU are distributed, by layer. */
  readonly preActivations: LayerHistogram;
  /** Weights that a token reads, and without the rows that its zeros make superfluous: what they save where they are left out. */
  readonly bytes: WeightBytes;

  constructor(parts: {
    config: PersimmonConfig;
    dtype: string;
    bytesPerWeight: number;
    ids: Int32Array;
    positions: Int32Array;
    pieces: readonly string[];
    counts: SparsityCounts;
  }) {
    const { config, ids, counts } = parts;
    const layers = config.numHiddenLayers;
    const width = config.intermediateSize;
    this.config = config;
    this.dtype = parts.dtype;
    this.ids = ids;
    this.positions = parts.positions;
    this.pieces = parts.pieces;
    const byToken = Float32Array.from(counts.zeros, (zeros) => zeros / width);
    this.zeroFractionByToken = { data: byToken, shape: [layers, ids.length] };
    this.zeroFraction = Float64Array.from({ length: layers }, (_, layer) => {
      let zeros = 0;
      for (let token = 0; token < ids.length; token++) zeros += counts.zeros[layer * ids.length + token];
      return zeros / (width * ids.length);
    });
    this.firing = { data: counts.firing, shape: [layers, width] };
    this.preActivations = counts.histogram!;
    this.bytes = weightBytesPerToken(config, this.zeroFraction, parts.bytesPerWeight);
  }

  get tokens(): number {
    return this.ids.length;
  }

  /** Share of zeros over all layers. */
  get meanZeroFraction(): number {
    return this.zeroFraction.reduce((sum, share) => sum + share, 0) / this.zeroFraction.length;
  }

  /** Mean share of zeros at each position over the texts that reach it, [layers, positions]. */
  zeroFractionByPosition(): {
    data: Float64Array;
    shape: [layers: number, positions: number];
    texts: Uint32Array;
  } {
    const [layers, tokens] = this.zeroFractionByToken.shape;
    const length = this.positions.reduce((longest, position) => Math.max(longest, position + 1), 0);
    const texts = new Uint32Array(length);
    for (const position of this.positions) texts[position]++;
    const data = new Float64Array(layers * length);
    for (let layer = 0; layer < layers; layer++) {
      for (let token = 0; token < tokens; token++) {
        const position = this.positions[token];
        data[layer * length + position] +=
          this.zeroFractionByToken.data[layer * tokens + token] / texts[position];
      }
    }
    return { data, shape: [layers, length], texts };
  }

  /** Neurons of a layer that were zero for every token. */
  neverActive(layer: number): number {
    return this.firingOf(layer).reduce((count, times) => count + (times === 0 ? 1 : 0), 0);
  }

  /** For how many tokens each neuron of a layer was not zero. */
  firingOf(layer: number): Uint32Array {
    const [, width] = this.firing.shape;
    return this.firing.data.subarray(layer * width, (layer + 1) * width);
  }

  /** One row for each layer. */
  table(): DataFrame {
    return table(this.records());
  }

  /** Share of zeros by layer, as bars. */
  layerFigure(): Figure {
    return figures.layerFigure(this);
  }

  /** Share of zeros of some tokens that follow one another, layer by layer; the first 56 by default. */
  tokenFigure(range: { start?: number; end?: number } = {}): Figure {
    return figures.tokenFigure(this, range);
  }

  /** Mean share of zeros by position in the text, one line a layer. */
  positionFigure(): Figure {
    return figures.positionFigure(this);
  }

  /** How often neurons fire, from the busiest to the quietest of each layer. */
  firingFigure(): Figure {
    return figures.firingFigure(this);
  }

  /** The distribution of pre-activations, of one layer or of all. */
  preActivationFigure(layer?: number): Figure {
    return figures.preActivationFigure(this, layer);
  }

  /** Bytes of weights that a token reads, and would read without the rows that zeros save. */
  bytesFigure(): Figure {
    return figures.weightBytesFigure(this.bytes, `at the measured zeros, weights in ${this.dtype}`);
  }

  [jupyterDisplay](): MimeBundle {
    const { dense, skipping } = this.bytes;
    const summary =
      `${percent(this.meanZeroFraction)} of the activations are zero, over ${grouped(this.tokens)} tokens. A token reads ` +
      `${bytes(dense)} of weights; without the down-projection rows of zeros it would read ${bytes(skipping)} ` +
      `(${percent(1 - skipping / dense)} less). These are computed from the counts, not measured in a run.`;
    const records = this.records();
    const columns = Object.keys(records[0]);
    const values = records.map((record) => Object.values(record));
    const text = records.map((record) => `layer ${record.layer}: ${record["zeros (%)"]} % zeros`).join("\n");
    return {
      "text/html": `<div><p>${summary}</p>${tableHtml({ columns, values, shape: [values.length, columns.length] })}</div>`,
      "text/plain": `${summary}\n${text}`,
    };
  }

  private records(): Record<string, number>[] {
    const { down } = this.bytes;
    return Array.from(this.zeroFraction, (share, layer) => ({
      layer,
      "zeros (%)": Number((100 * share).toFixed(2)),
      "never active": this.neverActive(layer),
      "active neurons a token": Number(((1 - share) * this.config.intermediateSize).toFixed(1)),
      "down-projection (kB)": Number((down.dense[layer] / 1e3).toFixed(1)),
      "live rows (kB)": Number((down.skipping[layer] / 1e3).toFixed(1)),
    }));
  }
}

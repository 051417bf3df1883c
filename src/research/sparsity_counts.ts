import type { Site } from "../runtime/sites.js";
import type { Chunk } from "./mlp_pass.js";

/** Counts of values between edges, by layer. */
export interface LayerHistogram {
  /** Edges of the bins, multiples of one width; zero is always an edge. */
  edges: Float64Array;
  /** [layers, bins] */
  counts: Float64Array;
  /** Values below the first edge, by layer. */
  below: Float64Array;
  /** Values from the last edge on, by layer. */
  above: Float64Array;
}

/** Counts what chunk after chunk brings; nothing of the activations themselves is kept. */
export class SparsityCounts {
  /** Zero activations, [layers, tokens] */
  readonly zeros: Uint32Array;
  /** How often each neuron was not zero, [layers, intermediate] */
  readonly firing: Uint32Array;
  histogram: LayerHistogram | undefined;

  constructor(
    private readonly layers: number,
    private readonly intermediate: number,
    private readonly tokens: number,
    private readonly bins: number,
  ) {
    this.zeros = new Uint32Array(layers * tokens);
    this.firing = new Uint32Array(layers * intermediate);
  }

  add({ before, values }: Chunk): void {
    const pre = Array.from({ length: this.layers }, (_, n) => values.get(`layers.${n}.mlp.pre` as Site)!);
    this.histogram ??= this.emptyHistogram(pre);
    for (let layer = 0; layer < this.layers; layer++) {
      this.countZeros(layer, before, values.get(`layers.${layer}.mlp.act` as Site)!);
      this.countBins(this.histogram, layer, pre[layer]);
    }
  }

  private countZeros(layer: number, before: number, act: Float32Array): void {
    const { intermediate, firing } = this;
    const offset = layer * intermediate;
    for (let row = 0; row * intermediate < act.length; row++) {
      let zeros = 0;
      for (let neuron = 0; neuron < intermediate; neuron++) {
        if (act[row * intermediate + neuron] === 0) zeros++;
        else firing[offset + neuron]++;
      }
      this.zeros[layer * this.tokens + before + row] = zeros;
    }
  }

  private countBins({ edges, counts, below, above }: LayerHistogram, layer: number, pre: Float32Array): void {
    const bins = edges.length - 1;
    const low = edges[0];
    const width = (edges[bins] - low) / bins;
    for (const value of pre) {
      const bin = Math.floor((value - low) / width);
      if (bin < 0) below[layer]++;
      else if (bin >= bins) above[layer]++;
      else counts[layer * bins + bin]++;
    }
  }

  /** Bins for 999 in 1,000 values of the first chunk, the same for every layer so that layers can be compared. */
  private emptyHistogram(pre: readonly Float32Array[]): LayerHistogram {
    const size = pre.reduce((sum, values) => sum + values.length, 0);
    // A prime step, so that the sample does not hit the same neurons in each row.
    const step = size > 200_000 ? 997 : 1;
    const sample: number[] = [];
    for (const values of pre) for (let at = 0; at < values.length; at += step) sample.push(values[at]);
    const sorted = Float64Array.from(sample.filter(Number.isFinite)).sort();
    const low = Math.min(0, sorted[Math.floor(0.0005 * sorted.length)] ?? -1);
    const high = Math.max(0, sorted[Math.floor(0.9995 * sorted.length)] ?? 1);
    const width = roundStep((high - low || 1) / this.bins);
    const first = Math.floor(low / width);
    const count = Math.max(1, Math.ceil(high / width) - first);
    return {
      edges: Float64Array.from({ length: count + 1 }, (_, edge) => (first + edge) * width),
      counts: new Float64Array(this.layers * count),
      below: new Float64Array(this.layers),
      above: new Float64Array(this.layers),
    };
  }
}

/** The nearest of 1, 2 and 5 times a power of ten. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= step * 0.999)!;
  return factor * power;
}

import { PersimmonError } from "../errors.js";
import type { PersimmonConfig } from "../model/config.js";

/** What of a configuration the weights depend on. */
export type WeightShape = Pick<
  PersimmonConfig,
  "hiddenSize" | "intermediateSize" | "numHiddenLayers" | "numAttentionHeads" | "vocabSize" | "qkLayernorm"
>;

/** Weights of one kind that a token reads, summed over the layers. */
export interface WeightPart {
  name: "attention" | "MLP up" | "MLP down" | "norms" | "embedding row" | "head";
  /** Bytes with every row. */
  dense: number;
  /** Bytes without the rows of the down-projection that meet a zero. */
  skipping: number;
}

export interface WeightBytes {
  parts: WeightPart[];
  /** Bytes of all weights that one token reads. */
  dense: number;
  /** The same without the rows that belong to zeros. */
  skipping: number;
  /** The down-projections by layer. */
  down: { dense: Float64Array; skipping: Float64Array };
}

/**
 * Bytes of weights that decoding one token of one sequence reads: all of them once, but of the embedding one row. A zero
 * activation makes its row of the transposed down-projection (`hiddenSize` weights) superfluous: only products that are
 * zero are left out. This is arithmetic on shapes: what the zeros save in decoding, not what a run measured. Keys and values of
 * the KV cache come on top.
 * @param zeroFraction share of zero activations, of all layers or of each
 * @param bytesPerWeight 2 for bfloat16, 4 for float32
 */
export function weightBytesPerToken(
  shape: WeightShape,
  zeroFraction: number | ArrayLike<number>,
  bytesPerWeight: number,
): WeightBytes {
  const { hiddenSize: hidden, intermediateSize: intermediate, numHiddenLayers: layers, vocabSize } = shape;
  const zeros = Float64Array.from({ length: layers }, (_, layer) =>
    typeof zeroFraction === "number" ? zeroFraction : zeroFraction[layer],
  );
  if (zeros.some((share) => !(share >= 0 && share <= 1))) {
    throw new PersimmonError(
      "SPARSITY_OPTIONS_INVALID",
      `zeroFraction must be from 0 to 1 for each of the ${layers} layers, got ${[...zeros].map((share) => share.toFixed(3))}`,
    );
  }
  const linear = (outFeatures: number, inFeatures: number) => (inFeatures + 1) * outFeatures * bytesPerWeight;
  const norm = (width: number) => 2 * width * bytesPerWeight;
  const headDim = hidden / shape.numAttentionHeads;

  const downDense = linear(hidden, intermediate);
  const down = {
    dense: new Float64Array(layers).fill(downDense),
    skipping: zeros.map((share) => downDense - share * intermediate * hidden * bytesPerWeight),
  };
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const same = (name: WeightPart["name"], bytes: number): WeightPart => ({
    name,
    dense: bytes,
    skipping: bytes,
  });
  const parts = [
    same("attention", layers * (linear(3 * hidden, hidden) + linear(hidden, hidden))),
    same("MLP up", layers * linear(intermediate, hidden)),
    { name: "MLP down" as const, dense: sum(down.dense), skipping: sum(down.skipping) },
    same("head", vocabSize * hidden * bytesPerWeight),
    same("norms", layers * (2 * norm(hidden) + (shape.qkLayernorm ? 2 * norm(headDim) : 0)) + norm(hidden)),
    same("embedding row", hidden * bytesPerWeight),
  ];
  return {
    parts,
    dense: parts.reduce((total, part) => total + part.dense, 0),
    skipping: parts.reduce((total, part) => total + part.skipping, 0),
    down,
  };
}

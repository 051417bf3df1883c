import { createHash } from "node:crypto";
import type { DataFrame } from "danfojs-node";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { grouped, percent } from "../display/numbers.js";
import { table } from "../display/table.js";
import { tableHtml } from "../display/table_html.js";
import { PersimmonError } from "../errors.js";
import type { LanguageModel } from "../language_model.js";
import { Tensor } from "../tensor/tensor.js";
import { PredictedMlp, predictable, smallCopy } from "./predicted_mlp.js";

/** How the zeros of one layer are predicted, and how well that went on text that had no part in the choice. */
export interface LayerPredictor {
  /** A row of the up projection is read where the int4 copy gives a pre-activation above this. */
  threshold: number;
  /** Share of the neurons above zero whose rows are read. */
  recall: number;
  /** Share of all rows that are read. */
  density: number;
}

/** What a predictor is made of, as it is stored. */
export interface ZeroPredictorParts {
  /** Of the biases of all up projections: a predictor fits the weights that it was made with. */
  weights: string;
  /** The recall that was asked for. */
  recall: number;
  layers: readonly LayerPredictor[];
  /** Tokens that the thresholds were chosen on, and other ones that recall and density were counted on. */
  tokens: { chosen: number; judged: number };
}

/**
 * Which squared ReLUs will be zero, known from an int4 copy of the up projections before these are read (Deja Vu,
 * 2310.17157, with a low-bit copy in place of a trained network). Not exact: a neuron above zero that is not predicted
 * counts as zero. Made by `predictZeros`.
 */
export class ZeroPredictor implements ZeroPredictorParts {
  readonly weights: string;
  readonly recall: number;
  readonly layers: readonly LayerPredictor[];
  readonly tokens: { chosen: number; judged: number };

  constructor(parts: ZeroPredictorParts) {
    this.weights = parts.weights;
    this.recall = parts.recall;
    this.layers = parts.layers;
    this.tokens = parts.tokens;
  }

  /** Share of the rows of all up projections that are read. */
  get density(): number {
    return mean(this.layers.map(({ density }) => density));
  }

  /** Share of the neurons above zero whose rows are read, over all layers. */
  get measuredRecall(): number {
    return mean(this.layers.map(({ recall }) => recall));
  }

  /** Bytes of copy and rows read, as a share of up projections that are read whole in bfloat16. */
  get bytes(): number {
    return 4.5 / 16 + this.density;
  }

  /**
   * Puts the prediction in force, in every pass until it is disposed of. The copies take 28 % of the bytes of the up
   * projections in bfloat16.
   * @throws PersimmonError ZERO_PREDICTION_UNSUPPORTED, ZERO_PREDICTOR_MISMATCH
   */
  apply(model: LanguageModel): Disposable & { dispose(): void } {
    expectWholeModel(model);
    const mlps = model.layers.map((layer, n) => predictable(layer.mlp, n));
    this.expectFit(mlps.length, weightsOf(model));
    const predicted = mlps.map((mlp, n) => {
      const { bias } = mlp.denseHTo4h;
      const shifted = bias.dataSync().map((value) => value - this.layers[n].threshold);
      return new PredictedMlp(
        mlp,
        smallCopy(mlp.denseHTo4h),
        Tensor.from(model.device, Float32Array.from(shifted), bias.shape).keep(),
      );
    });
    predicted.forEach((mlp, n) => {
      model.layers[n].mlp = mlp;
    });
    let inForce = true;
    const dispose = () => {
      if (!inForce) return;
      inForce = false;
      predicted.forEach((mlp, n) => {
        // Somebody may have put another module in its place since.
        if ((model.layers[n].mlp as unknown) === mlp) model.layers[n].mlp = mlps[n];
        mlp.release();
      });
    };
    return { dispose, [Symbol.dispose]: dispose };
  }

  private expectFit(layers: number, weights: string): void {
    const mismatch = (why: string) =>
      new PersimmonError("ZERO_PREDICTOR_MISMATCH", `${why}; make one for this model with predictZeros`);
    if (this.layers.length !== layers) {
      throw mismatch(`this predictor is for ${this.layers.length} layers, but the model has ${layers}`);
    }
    if (this.weights === weights) return;
    throw mismatch(
      `this predictor was made with other weights, or with the same in another dtype: the SHA-256 of the up projections' biases is ${this.weights.slice(0, 12)}… for the predictor and ${weights.slice(0, 12)}… for the model`,
    );
  }

  /** One row for each layer. */
  table(): DataFrame {
    return table(this.records());
  }

  /** Recall and density in a sentence. */
  summary(): string {
    return `Zeros predicted from an int4 copy: ${percent(this.measuredRecall)} of the neurons above zero are found (asked for: ${percent(this.recall)}) with ${percent(this.density)} of the rows read, ${percent(this.bytes)} of the bytes of the up projections. Counted on ${grouped(this.tokens.judged)} tokens that had no part in choosing the thresholds.`;
  }

  [jupyterDisplay](): MimeBundle {
    const summary = this.summary();
    const records = this.records();
    const columns = Object.keys(records[0]);
    const values = records.map((record) => Object.values(record));
    return {
      "text/html": `<div><p>${summary}</p>${tableHtml({ columns, values, shape: [values.length, columns.length] })}</div>`,
      "text/plain": `${summary}\n${records.map((record) => `layer ${record.layer}: recall ${record["recall (%)"]} %, read ${record["read (%)"]} %`).join("\n")}`,
    };
  }

  private records(): Record<string, number>[] {
    return this.layers.map(({ threshold, recall, density }, layer) => ({
      layer,
      threshold: Number(threshold.toPrecision(4)),
      "recall (%)": Number((100 * recall).toFixed(2)),
      "read (%)": Number((100 * density).toFixed(2)),
    }));
  }
}

/**
 * Of a split model, each rank has the sums of some neurons only, and what is seen at the sites is put together from all.
 * @throws PersimmonError ZERO_PREDICTION_UNSUPPORTED
 */
export function expectWholeModel(model: LanguageModel): void {
  const { ranks } = model.runtime;
  if (ranks === 1) return;
  throw new PersimmonError(
    "ZERO_PREDICTION_UNSUPPORTED",
    `zeros can be predicted in models that are not split, and this one is split over ${ranks} ranks: load it with tensorParallel: 1`,
  );
}

/** SHA-256 of the biases of all up projections, which no two trainings share. */
export function weightsOf(model: LanguageModel): string {
  const hash = createHash("sha256");
  for (const [n, { mlp }] of model.layers.entries())
    hash.update(predictable(mlp, n).denseHTo4h.bias.dataSync());
  return hash.digest("hex");
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

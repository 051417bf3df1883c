import type { DataFrame } from "danfojs-node";
import type { Figure } from "../display/figure.js";
import { heatmap } from "../display/heatmap.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { percent } from "../display/numbers.js";
import { table } from "../display/table.js";
import { checkOptionNames, PersimmonError } from "../errors.js";
import type { LanguageModel } from "../language_model.js";
import { optionChecks } from "../option_checks.js";
import type { Site } from "../runtime/sites.js";
import { tokenLabels } from "./answer.js";
import { figureBundle } from "./figure_bundle.js";

/** What is kept of each row of log-probabilities. */
export class LensCounts {
  /** The token that the model itself predicts at each position. */
  readonly prediction: Int32Array;
  /** [sites, positions, topK], the most probable first */
  readonly ids: Int32Array;
  readonly probabilities: Float32Array;
  /** Of the model's own prediction, [sites, positions] */
  readonly predictionProbability: Float32Array;
  readonly predictionRank: Int32Array;

  constructor(
    readonly sites: number,
    readonly positions: number,
    readonly topK: number,
  ) {
    this.prediction = new Int32Array(positions);
    this.ids = new Int32Array(sites * positions * topK);
    this.probabilities = new Float32Array(sites * positions * topK);
    this.predictionProbability = new Float32Array(sites * positions);
    this.predictionRank = new Int32Array(sites * positions);
  }

  /** Takes one row of log-probabilities over the vocabulary. */
  put(site: number, position: number, scores: Float32Array): void {
    const at = site * this.positions + position;
    const best = largest(scores, this.topK);
    for (const [rank, id] of best.entries()) {
      this.ids[at * this.topK + rank] = id;
      this.probabilities[at * this.topK + rank] = Math.exp(scores[id]);
    }
    const own = this.prediction[position];
    let rank = 0;
    // Of equal ones the first counts as the larger, as argmax has it.
    for (let id = 0; id < scores.length; id++) {
      if (scores[id] > scores[own] || (scores[id] === scores[own] && id < own)) rank++;
    }
    this.predictionProbability[at] = Math.exp(scores[own]);
    this.predictionRank[at] = rank;
  }
}

/** The predictions of every layer, as if it were the last. */
export class LogitLens {
  /** What the rows are: `embed.out`, then `layers.N.out`. */
  readonly sites: readonly Site[];
  /** Of each column, in the text. */
  readonly positions: readonly number[];
  /** The tokens at these positions. */
  readonly tokens: readonly string[];
  /** The most probable tokens, the first first. */
  readonly top: {
    ids: Int32Array;
    probabilities: Float32Array;
    shape: [sites: number, positions: number, topK: number];
  };
  /** Id that the model itself predicts after each position. */
  readonly prediction: Int32Array;
  /** Probability and rank (0 is first) that each layer gives to the model's own prediction. */
  readonly ofPrediction: {
    probabilities: Float32Array;
    ranks: Int32Array;
    shape: [sites: number, positions: number];
  };
  readonly #model: LanguageModel;

  constructor(parts: {
    model: LanguageModel;
    sites: readonly Site[];
    positions: readonly number[];
    tokens: readonly string[];
    counts: LensCounts;
  }) {
    const { counts } = parts;
    this.#model = parts.model;
    this.sites = parts.sites;
    this.positions = parts.positions;
    this.tokens = parts.tokens;
    this.prediction = counts.prediction;
    const shape = [counts.sites, counts.positions] as const;
    this.top = { ids: counts.ids, probabilities: counts.probabilities, shape: [...shape, counts.topK] };
    this.ofPrediction = {
      probabilities: counts.predictionProbability,
      ranks: counts.predictionRank,
      shape: [...shape],
    };
  }

  /** One row for each layer and position. */
  table(): DataFrame {
    const [sites, positions, topK] = this.top.shape;
    const records = Array.from({ length: sites * positions }, (_, at) => {
      const column = at % positions;
      const ids = this.top.ids.subarray(at * topK, (at + 1) * topK);
      return {
        site: this.sites[Math.floor(at / positions)],
        position: this.positions[column],
        token: this.tokens[column],
        predicts: tokenLabels(this.#model, [ids[0]])[0],
        probability: this.top.probabilities[at * topK],
        "top tokens": tokenLabels(this.#model, ids).join(" "),
        "rank of the model's prediction": this.ofPrediction.ranks[at],
        "its probability": this.ofPrediction.probabilities[at],
      };
    });
    return table(records);
  }

  /**
   * Layers from the bottom up, positions from left to right; each cell shows the layer's most probable token.
   * @param options `values: "prediction"` colours by the probability of the model's own prediction instead of the shown token's
   * @throws PersimmonError LENS_OPTIONS_INVALID, OPTION_UNKNOWN
   */
  figure(options: { values?: "top" | "prediction" } = {}): Figure {
    checkOptionNames("figure", options, ["values"]);
    const { values = "top" } = options;
    const invalid = (message: string) => new PersimmonError("LENS_OPTIONS_INVALID", message);
    optionChecks(invalid).oneOf("figure: values", values, ["top", "prediction"]);
    const [sites, positions, topK] = this.top.shape;
    const own = values === "prediction";
    const each = <T>(f: (at: number) => T): T[][] =>
      Array.from({ length: sites }, (_, row) =>
        Array.from({ length: positions }, (_, column) => f(row * positions + column)),
      );
    const label = (id: number) => tokenLabels(this.#model, [id])[0];
    const probability = (at: number) =>
      own ? this.ofPrediction.probabilities[at] : this.top.probabilities[at * topK];
    return heatmap(each(probability), {
      title: "Logit lens: what each layer would predict",
      subtitle: own
        ? "colour: probability of the token that the model predicts in the end"
        : "in each cell the most probable next token, coloured by its probability",
      rows: this.sites.map((site) => /\d+/.exec(site)?.[0] ?? "embed"),
      columns: this.tokens,
      x: "token",
      y: "layer",
      values: "probability",
      range: [0, 1],
      upwards: true,
      format: ".2f",
      cells: each((at) => label(this.top.ids[at * topK])),
      hover: each((at) => this.#hover(at)),
      width: Math.max(480, Math.min(1400, 190 + 68 * positions)),
      height: Math.max(300, Math.min(1100, 150 + 26 * sites)),
    });
  }

  [jupyterDisplay](): MimeBundle {
    const [sites, positions, topK] = this.top.shape;
    const last = positions - 1;
    const lines = this.sites.map((site, row) => {
      const at = (row * positions + last) * topK;
      const first = tokenLabels(this.#model, [this.top.ids[at]])[0];
      return `${site}: ${first} (${percent(this.top.probabilities[at])})`;
    });
    const summary = `Logit lens, ${sites} sites × ${positions} positions; after "${this.tokens[last]}":`;
    return figureBundle(this.figure(), [summary, ...lines].join("\n"));
  }

  #hover(at: number): string {
    const [, positions, topK] = this.top.shape;
    const lines = Array.from({ length: topK }, (_, rank) => {
      const token = tokenLabels(this.#model, [this.top.ids[at * topK + rank]])[0];
      return `${percent(this.top.probabilities[at * topK + rank])}  ${token}`;
    });
    const own = tokenLabels(this.#model, [this.prediction[at % positions]])[0];
    const share = percent(this.ofPrediction.probabilities[at]);
    lines.push(`the model's "${own}": rank ${this.ofPrediction.ranks[at]}, ${share}`);
    return lines.join("<br>");
  }
}

/** Indices of the largest values in descending order; of equal ones the first comes first. */
function largest(values: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let at = 0; at < values.length; at++) {
    if (best.length === count && !(values[at] > values[best[count - 1]])) continue;
    let place = best.length;
    while (place > 0 && values[at] > values[best[place - 1]]) place--;
    best.splice(place, 0, at);
    if (best.length > count) best.pop();
  }
  return best;
}

import type { DataFrame } from "danfojs-node";
import { bar } from "../display/bar.js";
import type { Figure } from "../display/figure.js";
import { heatmap } from "../display/heatmap.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { short } from "../display/numbers.js";
import { colours } from "../display/style.js";
import { table } from "../display/table.js";
import { checkOptionNames } from "../errors.js";
import { type AnswerToken, differenceName } from "./answer.js";
import { figureBundle } from "./figure_bundle.js";

/** One part of a logit difference. */
export interface LogitPart {
  component: string;
  layer: number | null;
  head: number | null;
  /** In logits. */
  contribution: number;
}

type AttributionParts = Omit<
  LogitAttribution,
  "sum" | "parts" | "table" | "figure" | "headFigure" | "name" | typeof jupyterDisplay
>;

/** A logit difference as the sum of its parts; all numbers are logits. */
export class LogitAttribution {
  readonly answer: AnswerToken;
  readonly wrong: AnswerToken | undefined;
  /** The tokens of the prompt, and the position whose next token is predicted. */
  readonly tokens: readonly string[];
  readonly position: number;
  /** What the model computed. */
  readonly logitDifference: number;
  readonly embedding: number;
  /** What the bias of the final LayerNorm (and of the head, if it has one) gives whatever the prompt. */
  readonly finalBias: number;
  /** Of each layer: all heads and the bias of the output projection. */
  readonly attention: Float32Array;
  /** The bias of the output projection alone. */
  readonly attentionBias: Float32Array;
  /** [layers, heads], without the bias */
  readonly heads: { data: Float32Array; shape: [layers: number, heads: number] };
  /** Of each layer. */
  readonly mlp: Float32Array;
  /** What edits of the residual stream itself added, and rounding; near 0 without such edits. */
  rest: number;

  constructor(parts: AttributionParts) {
    this.answer = parts.answer;
    this.wrong = parts.wrong;
    this.tokens = parts.tokens;
    this.position = parts.position;
    this.logitDifference = parts.logitDifference;
    this.embedding = parts.embedding;
    this.finalBias = parts.finalBias;
    this.attention = parts.attention;
    this.attentionBias = parts.attentionBias;
    this.heads = parts.heads;
    this.mlp = parts.mlp;
    this.rest = parts.rest;
  }

  /** All parts together: the logit difference of the model up to rounding. */
  get sum(): number {
    return this.parts().reduce((sum, { contribution }) => sum + contribution, 0);
  }

  /**
   * The parts in the order of the forward pass.
   * @param options `heads`: each head by itself instead of whole attentions
   */
  parts(options: { heads?: boolean } = {}): LogitPart[] {
    checkOptionNames("parts", options, ["heads"]);
    const parts: LogitPart[] = [];
    const put = (component: string, contribution: number, layer?: number, head?: number) =>
      parts.push({ component, layer: layer ?? null, head: head ?? null, contribution });
    put("embedding", this.embedding);
    const [layers, heads] = this.heads.shape;
    for (let layer = 0; layer < layers; layer++) {
      if (options.heads) {
        for (let head = 0; head < heads; head++) {
          put(`head ${layer}.${head}`, this.heads.data[layer * heads + head], layer, head);
        }
        put(`attention bias ${layer}`, this.attentionBias[layer], layer);
      } else {
        put(`attention ${layer}`, this.attention[layer], layer);
      }
      put(`MLP ${layer}`, this.mlp[layer], layer);
    }
    put("final bias", this.finalBias);
    put("rest", this.rest);
    return parts;
  }

  /** One row for each part; see `parts`. */
  table(options: { heads?: boolean } = {}): DataFrame {
    return table(this.parts(options).map((part) => ({ ...part })));
  }

  /** The parts as bars, in the order of the forward pass. */
  figure(): Figure {
    const parts = this.parts().filter(
      ({ component, contribution }) => component !== "rest" || Math.abs(contribution) > 1e-3,
    );
    return bar(
      {
        labels: parts.map(({ component }) => component),
        values: parts.map(({ contribution }) => contribution),
        color: parts.map(({ contribution }) => (contribution < 0 ? colours.accent : colours.main)),
      },
      {
        title: `What gives ${this.name}`,
        subtitle: `direct effect of each component; the model's value is ${short(this.logitDifference)}`,
        y: "logits",
        width: Math.max(560, Math.min(1400, 160 + 18 * parts.length)),
        layout: { xaxis: { tickangle: -60 } },
      },
    );
  }

  /** Layers × heads. */
  headFigure(): Figure {
    const [layers, heads] = this.heads.shape;
    return heatmap(this.heads, {
      title: `What each head gives to ${this.name}`,
      subtitle: "direct effect through the residual stream, without the projection's bias",
      rows: Array.from({ length: layers }, (_, layer) => layer),
      columns: Array.from({ length: heads }, (_, head) => head),
      x: "head",
      y: "layer",
      values: "logits",
      scale: "diverging",
      height: Math.max(260, Math.min(900, 170 + 22 * layers)),
    });
  }

  /** The quantity that is taken apart. */
  get name(): string {
    return differenceName(this.answer, this.wrong);
  }

  [jupyterDisplay](): MimeBundle {
    const strongest = this.parts({ heads: true })
      .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution))
      .slice(0, 8)
      .map(({ component, contribution }) => `${component}: ${short(contribution)}`);
    return figureBundle(
      this.figure(),
      [`${this.name} = ${short(this.logitDifference)}`, ...strongest].join("\n"),
    );
  }
}

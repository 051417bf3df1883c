import type { DataFrame } from "danfojs-node";
import { bar } from "../display/bar.js";
import type { Figure } from "../display/figure.js";
import { heatmap } from "../display/heatmap.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { grouped, short } from "../display/numbers.js";
import { colours } from "../display/style.js";
import { table } from "../display/table.js";
import { PersimmonError } from "../errors.js";
import type { Site } from "../runtime/sites.js";
import { figureBundle } from "./figure_bundle.js";

/** A part of the model that was taken out. */
export interface AblatedPart {
  name: string;
  site: Site;
  layer?: number;
  head?: number;
}

/** What a text loses with each part of the model. All losses are nats for each token. */
export class AblationStudy {
  readonly kind: "zero" | "mean";
  readonly parts: readonly AblatedPart[];
  /** Mean negative log-probability of a token with each part taken out, [parts] */
  readonly loss: Float32Array;
  /** `loss` minus `baseline`: above 0 where the text is predicted worse without the part, [parts] */
  readonly change: Float32Array;
  /** The loss of the whole model. */
  readonly baseline: number;
  /** Tokens that were predicted. */
  readonly tokens: number;

  constructor(parts: Pick<AblationStudy, "kind" | "parts" | "loss" | "baseline" | "tokens">) {
    this.kind = parts.kind;
    this.parts = parts.parts;
    this.loss = parts.loss;
    this.baseline = parts.baseline;
    this.tokens = parts.tokens;
    this.change = parts.loss.map((loss) => loss - parts.baseline);
  }

  /** One row for each part. */
  table(): DataFrame {
    return table(this.#records());
  }

  /** The change of loss of each part as bars; where only heads were ablated, layers × heads as colours. */
  figure(): Figure {
    return this.parts.every(({ head }) => head !== undefined) ? this.headFigure() : this.#bars();
  }

  /** Layers × heads, of the heads that were ablated. Throws `FIGURE_INVALID` where there are none. */
  headFigure(): Figure {
    const heads = this.parts.flatMap(({ layer, head }, at) =>
      layer === undefined || head === undefined ? [] : [{ layer, head, change: this.change[at] }],
    );
    if (heads.length === 0) {
      throw new PersimmonError("FIGURE_INVALID", 'no head was ablated: call ablationStudy with heads: "all"');
    }
    const layers = [...new Set(heads.map(({ layer }) => layer))].sort((a, b) => a - b);
    const width = 1 + Math.max(...heads.map(({ head }) => head));
    const rows = layers.map((layer) => {
      const row = new Float32Array(width).fill(Number.NaN);
      for (const each of heads) if (each.layer === layer) row[each.head] = each.change;
      return row;
    });
    return heatmap(rows, {
      ...this.#about(),
      rows: layers,
      columns: Array.from({ length: width }, (_, head) => head),
      x: "head",
      y: "layer",
      values: "change (nats a token)",
      scale: "diverging",
      height: Math.max(310, Math.min(900, 170 + 22 * layers.length)),
    });
  }

  [jupyterDisplay](): MimeBundle {
    const strongest = this.#records()
      .sort((a, b) => b["change of loss"] - a["change of loss"])
      .slice(0, 8)
      .map((record) => `${record.part}: ${short(record["change of loss"])}`);
    const { title, subtitle } = this.#about();
    return figureBundle(this.figure(), [`${title}; ${subtitle}`, ...strongest].join("\n"));
  }

  #bars(): Figure {
    const label = ({ site }: AblatedPart) =>
      site.endsWith("attn.out") || site.endsWith("attn.z")
        ? "attention"
        : site.includes("mlp")
          ? "MLP"
          : "other";
    const colourOf = { attention: colours.main, MLP: colours.accent, other: colours.quiet };
    return bar(
      {
        labels: this.parts.map(({ name }) => name),
        values: this.change,
        color: this.parts.map((part) => colourOf[label(part)]),
      },
      {
        ...this.#about(),
        y: "change of loss (nats a token)",
        width: Math.max(560, Math.min(1400, 160 + 18 * this.parts.length)),
        layout: { xaxis: { tickangle: -60 } },
      },
    );
  }

  #about(): { title: string; subtitle: string } {
    const what = this.kind === "zero" ? "zero" : "its mean over the text";
    return {
      title: "Loss without each part",
      subtitle: `part replaced by ${what}; ${grouped(this.tokens)} tokens, loss of the whole model ${short(this.baseline)}`,
    };
  }

  #records() {
    return this.parts.map(({ name, site }, at) => ({
      part: name,
      site,
      loss: this.loss[at],
      "change of loss": this.change[at],
    }));
  }
}

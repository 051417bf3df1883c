import type { DataFrame } from "danfojs-node";
import type { Figure } from "../display/figure.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { percent } from "../display/numbers.js";
import { table } from "../display/table.js";
import { checkOptionNames, PersimmonError } from "../errors.js";
import { patternGrid } from "./attention_figure.js";
import { figureBundle } from "./figure_bundle.js";

/** What a head looks at, on average over the tokens of a prompt but the first. */
export interface HeadHabits {
  layer: number;
  head: number;
  /** Share of attention to the first token: a resting place. */
  "to the first token": number;
  /** Share of attention to the token before. */
  "to the token before": number;
  /** Share of attention to the token itself. */
  "to itself": number;
  /** Entropy in bits: 0 for one token, log2(n) for n tokens alike. */
  "entropy (bits)": number;
}

/** Attention patterns of one prompt. */
export class AttentionPatterns {
  constructor(
    /** Row-major; a row of the last axis sums to 1 and is 0 behind its own token. */
    readonly data: Float32Array,
    /** The last two: the token that looks, the token that is looked at. */
    readonly shape: [layers: number, heads: number, tokens: number, tokens: number],
    /** Numbers of the layers and of the heads of the first two axes. */
    readonly layers: readonly number[],
    readonly heads: readonly number[],
    /** The tokens of the prompt. */
    readonly tokens: readonly string[],
  ) {}

  /** The pattern of one head as a view, [tokens, tokens] row-major. Throws `INDEX_OUT_OF_RANGE`. */
  pattern(layer: number, head: number): Float32Array {
    const row = this.layers.indexOf(layer);
    const column = this.heads.indexOf(head);
    if (row < 0 || column < 0) {
      throw new PersimmonError(
        "INDEX_OUT_OF_RANGE",
        `the pattern of layer ${layer}, head ${head} was not kept: layers ${this.layers.join(", ")} and heads ${this.heads.join(", ")} were`,
      );
    }
    const size = this.tokens.length ** 2;
    const at = row * this.heads.length + column;
    return this.data.subarray(at * size, (at + 1) * size);
  }

  /** What each head looks at, by layer and head. */
  habits(): HeadHabits[] {
    return this.layers.flatMap((layer) => this.heads.map((head) => this.#habitsOf(layer, head)));
  }

  /** One row for each head; see `HeadHabits`. */
  table(): DataFrame {
    return table(this.habits().map((row) => ({ ...row })));
  }

  /**
   * Patterns as a grid of heat maps, one a head: from top to bottom the token that looks, from left to right the token that
   * is looked at.
   * @param options which of the kept layers and heads; default: as many as fit, at most 4 layers and 6 heads
   */
  figure(options: { layers?: readonly number[]; heads?: readonly number[] } = {}): Figure {
    checkOptionNames("figure", options, ["layers", "heads"]);
    const layers = options.layers ?? this.layers.slice(0, 4);
    const heads = options.heads ?? this.heads.slice(0, 6);
    return patternGrid(this, layers, heads);
  }

  [jupyterDisplay](): MimeBundle {
    const lines = this.habits()
      .slice(0, 12)
      .map((row) => {
        const shares = `${percent(row["to the first token"])} to the first token, ${percent(row["to the token before"])} to the token before`;
        return `layer ${row.layer}, head ${row.head}: ${shares}`;
      });
    const summary = `Attention patterns [${this.shape.join(", ")}]`;
    return figureBundle(this.figure(), [summary, ...lines].join("\n"));
  }

  #habitsOf(layer: number, head: number): HeadHabits {
    const pattern = this.pattern(layer, head);
    const count = this.tokens.length;
    const sums = { first: 0, before: 0, itself: 0, entropy: 0 };
    // The first token can look at itself only.
    const rows = Math.max(1, count - 1);
    for (let token = count - rows; token < count; token++) {
      const row = pattern.subarray(token * count, token * count + token + 1);
      sums.first += row[0] / rows;
      sums.before += (token > 0 ? row[token - 1] : 0) / rows;
      sums.itself += row[token] / rows;
      for (const share of row) if (share > 0) sums.entropy -= (share * Math.log2(share)) / rows;
    }
    return {
      layer,
      head,
      "to the first token": sums.first,
      "to the token before": sums.before,
      "to itself": sums.itself,
      "entropy (bits)": sums.entropy,
    };
  }
}

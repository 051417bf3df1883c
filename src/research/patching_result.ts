import type { DataFrame } from "danfojs-node";
import { bar } from "../display/bar.js";
import type { Figure } from "../display/figure.js";
import { heatmap } from "../display/heatmap.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { grouped, percent, short } from "../display/numbers.js";
import { colours } from "../display/style.js";
import { table } from "../display/table.js";
import { type AnswerToken, differenceName } from "./answer.js";
import { figureBundle } from "./figure_bundle.js";
import type { PatchingPair, PatchingTokens } from "./patching_pair.js";

/** One axis of a sweep. */
export interface PatchingAxis {
  /** "layer", "position", "head" or "neuron". */
  title: string;
  /** Numbers of the layers, positions, heads or neurons. */
  numbers: readonly number[];
  /** How they are called; default: their numbers. */
  labels?: readonly string[];
}

/** What each patch of a sweep did. */
export class PatchingResult {
  /** Site that was patched, with `*` for the layer of the row. */
  readonly site: string;
  readonly rows: PatchingAxis;
  readonly columns: PatchingAxis;
  /** Share of the way from the corrupted (0) to the clean (1) logit difference, row-major, [rows, columns] */
  readonly effect: { data: Float32Array; shape: [rows: number, columns: number] };
  /** The logit differences themselves, [rows, columns] */
  readonly logitDifference: { data: Float32Array; shape: [rows: number, columns: number] };
  /** Logit differences of the two prompts. */
  readonly clean: number;
  readonly corrupted: number;
  readonly answer: AnswerToken;
  readonly wrong: AnswerToken | undefined;
  /** Positions that were patched, and their tokens in the corrupted prompt. */
  readonly positions: readonly number[];
  readonly tokens: readonly string[];
  /** What the sweep cost, and what the shared prefix saved. */
  readonly tokensRun: PatchingTokens;

  constructor(
    pair: PatchingPair,
    site: string,
    rows: PatchingAxis,
    columns: PatchingAxis,
    scores: Float64Array,
  ) {
    const shape: [number, number] = [rows.numbers.length, columns.numbers.length];
    this.site = site;
    this.rows = rows;
    this.columns = columns;
    this.logitDifference = { data: Float32Array.from(scores), shape };
    // From the unrounded scores: where nothing changes, the effect is 0 and not 2e-8.
    this.effect = { data: Float32Array.from(scores, (score) => pair.effect(score)), shape };
    this.clean = pair.clean;
    this.corrupted = pair.corrupted;
    this.answer = pair.answer;
    this.wrong = pair.wrong;
    this.positions = pair.positions;
    this.tokens = pair.tokens;
    this.tokensRun = pair.tokensRun;
  }

  /** One row for each patch. */
  table(): DataFrame {
    return table(this.#records());
  }

  /** Rows × columns as colours; of a single row bars. */
  figure(): Figure {
    const name = differenceName(this.answer, this.wrong);
    const about = {
      title: `Patching ${this.site}: the clean value in the corrupted run`,
      subtitle: `0: ${name} as in the corrupted run (${short(this.corrupted)}), 1: as in the clean run (${short(this.clean)})`,
      x: this.columns.title,
    };
    const [rows, columns] = this.effect.shape;
    if (rows === 1) {
      const values = this.effect.data;
      return bar(
        {
          labels: labelsOf(this.columns),
          values,
          color: Array.from(values, (value) => (value < 0 ? colours.accent : colours.main)),
        },
        { ...about, x: `${about.x} (layer ${this.rows.numbers[0]})`, y: "effect" },
      );
    }
    return heatmap(this.effect, {
      ...about,
      rows: this.rows.numbers,
      columns: this.columns.labels ?? this.columns.numbers,
      y: this.rows.title,
      values: "effect",
      scale: "diverging",
      upwards: true,
      format: ".2f",
      width: Math.max(680, Math.min(1200, 220 + 26 * columns)),
      height: Math.max(300, Math.min(1000, 170 + 22 * rows)),
    });
  }

  [jupyterDisplay](): MimeBundle {
    const { computed, withoutReuse } = this.tokensRun;
    const strongest = this.#records()
      .sort((a, b) => Math.abs(Number(b.effect)) - Math.abs(Number(a.effect)))
      .slice(0, 5)
      .map((record) => {
        const place = `${this.rows.title} ${record[this.rows.title]}, ${this.columns.title} ${record[this.columns.title]}`;
        return `${place}: ${short(Number(record.effect))}`;
      });
    const [rows, columns] = this.effect.shape;
    const summary = `Patching ${this.site}, ${rows} × ${columns}: ${grouped(computed)} tokens computed, ${percent(1 - computed / withoutReuse)} fewer than without the shared prefix`;
    return figureBundle(this.figure(), [summary, ...strongest].join("\n"));
  }

  #records(): Record<string, unknown>[] {
    const [, columns] = this.effect.shape;
    return Array.from(this.effect.data, (effect, at) => ({
      [this.rows.title]: this.rows.numbers[Math.floor(at / columns)],
      [this.columns.title]: this.columns.numbers[at % columns],
      ...(this.columns.labels && { token: this.columns.labels[at % columns] }),
      effect,
      "logit difference": this.logitDifference.data[at],
    }));
  }
}

function labelsOf({ numbers, labels }: PatchingAxis): readonly (string | number)[] {
  return labels ?? numbers;
}

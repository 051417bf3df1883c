import type { DataFrame } from "danfojs-node";
import type { Figure } from "../../display/figure.js";
import { percent } from "../../display/numbers.js";
import { colours } from "../../display/style.js";
import { table } from "../../display/table.js";
import { PersimmonError } from "../../errors.js";
import type { PairedComparison } from "../statistics/paired.js";
import { barOf, barsFigure } from "./accuracy_figure.js";
import type { EvalResult } from "./eval_result.js";
import { ShownResult } from "./shown_result.js";

/** An item that one run got right and the other did not. */
export interface Flip {
  id: string;
  /** "gained": only the second got it right; "lost": only the first. */
  change: "gained" | "lost";
  /** Answers; of a likelihood the index of the ending. */
  first: string | null;
  second: string | null;
  gold: string;
  kind?: string;
}

/** How a second run differs from a first one, item by item. */
export class EvalComparison extends ShownResult {
  readonly first: EvalResult;
  readonly second: EvalResult;
  /** Counts, the change with its standard error, and McNemar's p. */
  readonly paired: PairedComparison;
  /** In the order of the first run. */
  readonly flips: readonly Flip[];
  /** Verdicts that were left out, because only one of the runs has the item. */
  readonly left: number;
  readonly likelihood: "acc" | "acc_norm";

  constructor(parts: Pick<EvalComparison, "first" | "second" | "paired" | "flips" | "left" | "likelihood">) {
    super();
    this.first = parts.first;
    this.second = parts.second;
    this.paired = parts.paired;
    this.flips = parts.flips;
    this.left = parts.left;
    this.likelihood = parts.likelihood;
  }

  /** Accuracy of the second run minus that of the first, on the items that both have. */
  get change(): number {
    return this.paired.change;
  }

  /** Two-sided p of the exact McNemar test. */
  get p(): number {
    return this.paired.p;
  }

  /** One row for each flip. Throws `TABLE_EMPTY` where both runs agree on every item. */
  table(): DataFrame {
    if (this.flips.length === 0) {
      throw new PersimmonError("TABLE_EMPTY", "there is no flip: both runs agree on every item");
    }
    return table(this.flips.map((flip) => ({ ...flip })));
  }

  /** Both accuracies on the same items, with their intervals. */
  figure(): Figure {
    const [title, ...rest] = this.lines();
    const { first, second } = this.paired;
    const names = this.#names();
    return barsFigure(
      [
        { ...barOf(names[0], first), colour: colours.main },
        { ...barOf(names[1], second), colour: colours.accent },
      ],
      title,
      rest,
    );
  }

  lines(): string[] {
    const { n, first, second, change, standardError, p, both, neither, onlyFirst, onlySecond } = this.paired;
    const names = this.#names();
    const sign = change > 0 ? "+" : change < 0 ? "−" : "±";
    const points = (share: number) => (100 * Math.abs(share)).toFixed(1);
    const spread = Number.isNaN(standardError) ? "" : ` ± ${points(standardError)}`;
    return [
      `${this.first.task} ${this.first.split}: ${sign}${points(change)}${spread} points, McNemar p = ${pText(p)}, ${n} items`,
      `first (${names[0]}) ${percent(first.accuracy)}, second (${names[1]}) ${percent(second.accuracy)}`,
      `both right ${both}, lost ${onlyFirst}, gained ${onlySecond}, neither ${neither}`,
      ...(this.left === 0 ? [] : [`left out: ${this.left} answers to items that only one run has`]),
      ...[...new Set([...this.first.summary.notes, ...this.second.summary.notes])].map(
        (note) => `note: ${note}`,
      ),
      ...[this.first, this.second].flatMap(({ summary }, index) =>
        summary.warnings.map((warning) => `WARNING (${index === 0 ? "first" : "second"}): ${warning}`),
      ),
    ];
  }

  /** What the runs differ in, in a word or two each. */
  #names(): [string, string] {
    const about = ({ manifest, summary }: EvalResult) => {
      const { modules, interventions } = manifest.model.changed;
      return {
        method: manifest.method === "generate" ? "generate" : `likelihood ${this.likelihood}`,
        dtype: manifest.model.dtype,
        model: modules.length + interventions.length > 0 ? "changed" : "as it is",
        file: manifest.model.sha256?.slice(0, 8) ?? "random weights",
        split: summary.preset ?? "",
        fingerprint: summary.fingerprint.slice(0, 8),
      };
    };
    const [a, b] = [about(this.first), about(this.second)];
    const keys = Object.keys(a) as (keyof typeof a)[];
    const differing = keys.filter((key) => a[key] !== b[key] && key !== "fingerprint");
    const used = differing.length > 0 ? differing : (["fingerprint"] as const);
    return [used.map((key) => a[key]).join(", "), used.map((key) => b[key]).join(", ")];
  }
}

function pText(p: number): string {
  return p >= 0.001 ? p.toFixed(3) : p.toExponential(1);
}

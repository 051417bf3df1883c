import type { ForwardPlan } from "./plan.js";

/** What a recorded plan consists of, for people. */
export class PlanSummary {
  readonly #plan: ForwardPlan | undefined;

  constructor(plan: ForwardPlan | undefined) {
    this.#plan = plan;
  }

  /** The ops of each segment, with their sizes, such as `linear 1 64 256`. */
  get segments(): string[][] {
    return this.#plan?.native.describe() ?? [];
  }

  /** Of each segment, the ops that a GPU does in one kernel, such as `layerNorm + linear`. */
  get joined(): string[][] {
    const { segments } = this;
    const joined = this.#plan?.native.joined() ?? [];
    return joined.map((groups, segment) =>
      groups.map(([first, count]) =>
        segments[segment]
          .slice(first, first + count)
          .map((op) => op.split(" ", 1)[0])
          .join(" + "),
      ),
    );
  }

  /** The breaks, each with the number of the segment that it follows (from 0). */
  get breaks(): { after: number; label: string; reason: string }[] {
    const breaks = this.#plan?.breaks ?? [];
    return breaks.flatMap((each, after) =>
      each === undefined ? [] : [{ after, label: each.label, reason: each.reason }],
    );
  }

  /** Bytes of the plan's memory. */
  get bytes(): number {
    return this.#plan?.native.bytes() ?? 0;
  }

  /** A few lines: how many segments and ops, each break with its reason, and which ops are one kernel. */
  describe(): string {
    if (this.#plan === undefined) {
      return "No plan yet: generating a second token records one (the first comes with the prompt).";
    }
    const { segments, breaks } = this;
    const ops = segments.map((segment) => segment.length);
    const total = ops.reduce((sum, count) => sum + count, 0);
    const head = `${this.#plan.title}: ${count(segments.length, "segment")}, ${count(breaks.length, "break")}, ${count(total, "op")}`;
    const lines = breaks.map(
      ({ after, label, reason }) =>
        `  after segment ${after + 1} (${count(ops[after], "op")}): ${label} — ${reason}`,
    );
    return [head, ...lines, ...this.#kernels()].join("\n");
  }

  #kernels(): string[] {
    const kinds = new Map<string, number>();
    for (const kind of this.joined.flat()) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    return [...kinds].map(([kind, times]) => `  in ${count(times, "kernel")}: ${kind}`);
  }

  toString(): string {
    return this.describe();
  }

  /** How a notebook shows it. */
  [Symbol.for("Jupyter.display")](): Record<string, unknown> {
    return { "text/plain": this.describe() };
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

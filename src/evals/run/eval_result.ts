import type { DataFrame } from "danfojs-node";
import type { Figure } from "../../display/figure.js";
import { duration, grouped, percent, short } from "../../display/numbers.js";
import { table } from "../../display/table.js";
import { presetText } from "../data/presets.js";
import type { Tally } from "../statistics/proportion.js";
import { accuracyFigure } from "./accuracy_figure.js";
import type { Manifest } from "./manifest.js";
import type { ScoredSample } from "./score.js";
import { ShownResult } from "./shown_result.js";
import { countOf, type RunSummary } from "./summary.js";

/** What a run found. `await runEval(…)` as the last line of a cell shows it. */
export class EvalResult extends ShownResult {
  readonly manifest: Manifest;
  /** All numbers, as in summary.json. */
  readonly summary: RunSummary;
  /** Every answer with its verdict, in the order in which they were made. */
  readonly samples: readonly ScoredSample[];
  /** Where the run is; undefined for one in memory. */
  readonly folder: string | undefined;

  constructor(parts: Pick<EvalResult, "manifest" | "summary" | "samples" | "folder">) {
    super();
    this.manifest = parts.manifest;
    this.summary = parts.summary;
    this.samples = parts.samples;
    this.folder = parts.folder;
  }

  get task(): string {
    return this.summary.task;
  }

  get split(): string {
    return this.summary.split;
  }

  /** SHA-256 of the manifest: the same for runs that must give the same samples. */
  get fingerprint(): string {
    return this.summary.fingerprint;
  }

  /** Share of right answers; NaN where there is none yet. */
  get accuracy(): number {
    return this.summary.accuracy ?? Number.NaN;
  }

  /** 95 % Wilson interval; undefined with several samples of an item, and without any answer. */
  get interval(): [low: number, high: number] | undefined {
    return this.summary.wilson ?? undefined;
  }

  get correct(): number {
    return this.summary.correct;
  }

  /** Answers with a verdict. */
  get n(): number {
    return this.summary.n;
  }

  get unparsed(): number {
    return this.summary.unparsed;
  }

  /** Whether every item of the split was asked. */
  get isComplete(): boolean {
    return this.summary.complete;
  }

  /** Counts by kind or subject, where the data tells them apart, from the most frequent on. */
  byKind(): Map<string, Tally> {
    const groups = new Map<string, ScoredSample[]>();
    for (const sample of this.samples) {
      if (sample.kind === undefined) continue;
      const group = groups.get(sample.kind);
      if (group === undefined) groups.set(sample.kind, [sample]);
      else group.push(sample);
    }
    return new Map(
      [...groups]
        .sort((a, b) => b[1].length - a[1].length)
        .map(([kind, samples]) => [kind, countOf(samples)]),
    );
  }

  /** One row for each answer. */
  table(): DataFrame {
    return table(
      this.samples.map((sample) => ({
        id: sample.id,
        ...(this.manifest.settings.samples > 1 && { sample: sample.sample }),
        ...(sample.kind !== undefined && { kind: sample.kind }),
        answer: sample.answer,
        gold: sample.gold,
        correct: sample.correct,
        ...(sample.lenient !== undefined && {
          [this.manifest.method === "generate" ? "lenient" : "acc_norm"]: sample.lenient,
        }),
        ...(sample.finish !== undefined && { finish: sample.finish }),
        ...(sample.status !== undefined && { program: sample.status, detail: sample.detail }),
      })),
    );
  }

  /** Accuracy with its interval, of all and by kind. */
  figure(): Figure {
    const [title, ...rest] = this.lines();
    return accuracyFigure(this, title, rest);
  }

  /** The result in a few lines. The first has the score and the split that it belongs to. */
  lines(): string[] {
    const { summary, manifest } = this;
    const lines = [this.#headline()];
    const counts = [
      ...(manifest.method === "generate" && Object.keys(summary.programs).length === 0
        ? [`unparsed ${summary.unparsed}/${this.samples.length}`]
        : []),
      ...(summary.lenient === null
        ? []
        : [
            `${manifest.method === "generate" ? "lenient reading" : "acc_norm (per byte)"} ${percent(summary.lenient.accuracy)} (${summary.lenient.correct})`,
          ]),
      ...(manifest.method === "generate"
        ? [`at the limit of ${manifest.settings.max_new_tokens} tokens ${summary.finish.length ?? 0}`]
        : []),
      ...(summary.standard_error === null ? [] : [`standard error ${percent(summary.standard_error)}`]),
    ];
    if (this.samples.length > 0) lines.push(counts.join(", "));
    const programs = Object.entries(summary.programs).map(([status, count]) => `${status} ${count}`);
    if (programs.length > 0) lines.push(`programs: ${programs.join(", ")}; sandbox ${summary.sandbox}`);
    if (summary.not_judged > 0) lines.push(`not judged: ${summary.not_judged} programs were not run`);
    const estimates = summary.pass_at_k.map(
      ({ k, value, standard_error: error }) =>
        `pass@${k} ${percent(value)}${error === null ? "" : ` ± ${percent(error)}`}`,
    );
    if (estimates.length > 0) lines.push(estimates.join(", "));
    lines.push(this.#how());
    lines.push(...summary.notes.map((note) => `note: ${note}`));
    lines.push(...summary.warnings.map((warning) => `WARNING: ${warning}`));
    return lines;
  }

  /** arc-easy validation, generate: 76.1 % (95 % interval 71.7–80.1 %), 300 of 394 */
  #headline(): string {
    const { summary } = this;
    const what = `${summary.task} ${summary.split}, ${summary.method}`;
    const { done, total } = summary.items;
    const part = summary.complete ? "" : `partial ${grouped(done)}/${grouped(total)}: `;
    if (summary.accuracy === null) return `${what}: ${part}no answer yet`;
    const [low, high] = (summary.wilson ?? []).map((share) => (100 * share).toFixed(1));
    const interval = low === undefined ? "" : ` (95 % interval ${low}–${high} %)`;
    return `${what}: ${part}${percent(summary.accuracy)}${interval}, ${grouped(summary.correct)} of ${grouped(summary.n)}`;
  }

  #how(): string {
    const { manifest } = this;
    const { settings, shots, preset, model } = manifest;
    const { seconds, prompt_tokens: prompt, generated_tokens: generated, tokens_per_second } = this.summary;
    const speed = short(Number((tokens_per_second ?? 0).toPrecision(3)));
    const tokens = generated === 0 ? "" : ` (${grouped(prompt)} of prompts, ${grouped(generated)} generated)`;
    return [
      presetText(preset, { task: manifest.task, questions: manifest.data.split, shots: shots?.split }),
      shots === null ? "no example" : `1 example from ${shots.split}, seed ${settings.shot_seed}`,
      settings.bos ? "with BOS" : "without BOS",
      ...(settings.chat ? ["chat format"] : []),
      ...(settings.temperature > 0 ? [`temperature ${settings.temperature}, top p ${settings.top_p}`] : []),
      model.dtype,
      ...(seconds > 0 ? [`${duration(seconds)}, ${speed} tokens/s${tokens}`] : []),
    ].join(", ");
  }
}

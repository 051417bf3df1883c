import type { DataFrame } from "danfojs-node";
import { bar } from "../display/bar.js";
import type { Figure } from "../display/figure.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { short } from "../display/numbers.js";
import { progress } from "../display/progress.js";
import { table } from "../display/table.js";
import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import { interruptSignal, throwIfInterrupted } from "../host.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { prefillChunk } from "../runtime/prefill.js";
import { matchSites, type Site, siteWidth } from "../runtime/sites.js";
import { figureBundle } from "./figure_bundle.js";
import { observe } from "./observe.js";

export interface SteeringOptions {
  /** One site, such as `layers.18.out`. */
  site: Site;
  /** Prompts with and without what the direction is to mean; the two of a pair should differ in that only. */
  pairs: readonly (readonly [positive: Prompt, negative: Prompt])[];
  /** Whose activation stands for a prompt: its last token's (the default), or the mean of all, BOS left out. */
  position?: "last" | "mean";
  bos?: boolean;
  signal?: AbortSignal;
  /** Show a progress bar; true. */
  progress?: boolean;
}

const optionNames = [
  "site",
  "pairs",
  "position",
  "bos",
  "signal",
  "progress",
] satisfies (keyof SteeringOptions)[];

/**
 * A direction at a site. `using steer = model.edit(vector.site, edits.add(vector.direction, { scale: 2 }))` steers along it,
 * `edits.project(vector.direction)` removes it (directional ablation; Arditi et al. 2024).
 */
export class SteeringVector {
  readonly site: Site;
  /** Mean of the differences positive − negative, [width]: the width of the site */
  readonly direction: Float32Array;
  /** The length of `direction`: what a scale of 1 adds. */
  readonly norm: number;
  /** Positive − negative of each pair, [pairs, width] */
  readonly differences: { data: Float32Array; shape: [pairs: number, width: number] };
  /** Cosine of each pair's difference with the direction: near 1 where the pairs agree. */
  readonly cosines: Float32Array;
  /** The pairs as text. */
  readonly pairs: readonly (readonly [positive: string, negative: string])[];

  constructor(
    site: Site,
    pairs: readonly (readonly [string, string])[],
    differences: { data: Float32Array; shape: [pairs: number, width: number] },
  ) {
    const [count, width] = differences.shape;
    const mean = new Float64Array(width);
    for (const [at, value] of differences.data.entries()) mean[at % width] += value / count;
    this.site = site;
    this.pairs = pairs;
    this.differences = differences;
    this.direction = Float32Array.from(mean);
    this.norm = Math.sqrt(dot(mean, mean));
    this.cosines = Float32Array.from(pairs, (_, pair) => {
      const difference = this.differenceOf(pair);
      const lengths = Math.sqrt(dot(difference, difference)) * this.norm;
      return lengths === 0 ? 0 : dot(difference, mean) / lengths;
    });
  }

  /** Positive − negative of one pair, as a view. */
  differenceOf(pair: number): Float32Array {
    const [, width] = this.differences.shape;
    return this.differences.data.subarray(pair * width, (pair + 1) * width);
  }

  /** One row for each pair. */
  table(): DataFrame {
    return table(
      this.pairs.map(([positive, negative], pair) => ({
        positive,
        negative,
        cosine: this.cosines[pair],
        length: Math.sqrt(dot(this.differenceOf(pair), this.differenceOf(pair))),
      })),
    );
  }

  /** How well each pair agrees with the direction. */
  figure(): Figure {
    return bar(
      {
        labels: this.pairs.map((_, pair) => pair),
        values: this.cosines,
        hover: this.pairs.map(
          ([positive, negative], pair) => `${short(this.cosines[pair])}<br>+ ${positive}<br>− ${negative}`,
        ),
      },
      {
        title: `Steering vector at ${this.site}`,
        subtitle: `how far each of ${this.pairs.length} pairs points along their mean; its length is ${short(this.norm)}`,
        x: "pair",
        y: "cosine with the mean",
      },
    );
  }

  [jupyterDisplay](): MimeBundle {
    const mean = this.cosines.reduce((sum, cosine) => sum + cosine, 0) / this.cosines.length;
    const summary = `Steering vector at ${this.site}: ${this.direction.length} numbers of length ${short(this.norm)}, from ${this.pairs.length} pairs with a mean cosine of ${short(mean)}`;
    return figureBundle(this.figure(), summary);
  }
}

/**
 * The mean difference of activations between contrasting prompts (Turner et al. 2023, "Activation Addition"; Rimsky et al.
 * 2024, "Steering Llama 2 via Contrastive Activation Addition"). Several pairs average out what is not meant.
 * @throws PersimmonError STEERING_OPTIONS_INVALID, SITE_UNKNOWN, OPTION_UNKNOWN
 */
export async function steeringVector(
  model: LanguageModel,
  options: SteeringOptions,
): Promise<SteeringVector> {
  checkOptionNames("steeringVector", options, optionNames);
  const { site: name, pairs, position = "last" } = options;
  const site = checked(model, name, pairs, position);
  const encoded = pairs.map((pair) => pair.map((prompt) => model.encodePrompt(prompt, options.bos)));
  const signal = interruptSignal(options.signal);
  using bar =
    options.progress === false
      ? undefined
      : progress({ total: pairs.length, label: "Steering vector", unit: "pairs" });
  const differences: Float32Array[] = [];
  for (const [positive, negative] of encoded) {
    const [plus, minus] = [
      await activation(model, site, positive, position, signal),
      await activation(model, site, negative, position, signal),
    ];
    differences.push(plus.map((value, at) => value - minus[at]));
    bar?.advance();
  }
  const width = differences[0].length;
  const data = new Float32Array(pairs.length * width);
  for (const [pair, difference] of differences.entries()) data.set(difference, pair * width);
  const texts = encoded.map(
    ([positive, negative]) => [shown(model, positive), shown(model, negative)] as const,
  );
  return new SteeringVector(site, texts, { data, shape: [pairs.length, width] });
}

/** The activation that stands for a prompt, [width]. */
async function activation(
  model: LanguageModel,
  site: Site,
  ids: readonly number[],
  position: "last" | "mean",
  signal: AbortSignal,
): Promise<Float32Array> {
  const hasBos = ids.length > 1 && ids[0] === model.config.bosTokenId;
  const first = position === "last" ? ids.length - 1 : hasBos ? 1 : 0;
  const sum = new Float64Array(siteWidth(model.config, site, 0));
  using sequence = model.kv.createSequence();
  for (let start = 0; start < ids.length; start += prefillChunk) {
    throwIfInterrupted(signal);
    const chunk = ids.slice(start, start + prefillChunk);
    using pass = await observe(model.runtime, sequence, chunk, [site], { signal });
    const positions = chunk.map((_, row) => start + row).filter((at) => at >= first);
    if (positions.length === 0) continue;
    using rows = pass.rows(site, positions);
    for (const [at, value] of (await rows.data()).entries())
      sum[at % sum.length] += value / (ids.length - first);
  }
  return Float32Array.from(sum);
}

function checked(model: LanguageModel, name: unknown, pairs: unknown, position: unknown): Site {
  const invalid = (message: string) =>
    new PersimmonError("STEERING_OPTIONS_INVALID", `steeringVector: ${message}`);
  const sites = matchSites(model.config, [String(name)]);
  if (sites.length !== 1 || sites[0].endsWith(".pattern") || sites[0] === "logits") {
    throw invalid(
      `site must be one site with a vector for each token, such as "layers.1.out", got ${valueText(name)}`,
    );
  }
  if (!Array.isArray(pairs) || pairs.length === 0 || pairs.some((pair) => pair?.length !== 2)) {
    throw invalid("pairs must be a list of [positive, negative] prompts with at least one");
  }
  if (position !== "last" && position !== "mean") {
    throw invalid(`position must be "last" or "mean", got ${valueText(position)}`);
  }
  return sites[0];
}

function shown(model: LanguageModel, ids: readonly number[]): string {
  return ids
    .map((id) => model.pieceOf(id))
    .join("")
    .replaceAll("▁", " ")
    .trim();
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

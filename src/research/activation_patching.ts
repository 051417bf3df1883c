import { progress } from "../display/progress.js";
import { PersimmonError, valueText } from "../errors.js";
import type { LanguageModel } from "../language_model.js";
import { optionChecks } from "../option_checks.js";
import { matchSites, type Site } from "../runtime/sites.js";
import type { Activation } from "./activation_cache.js";
import { edits } from "./edits.js";
import { checkPatchingOptions, type PatchingOptions, PatchingPair } from "./patching_pair.js";
import { PatchingResult } from "./patching_result.js";

const sitesOfSweeps = ["layers.*.out", "layers.*.attn.out", "layers.*.mlp.out"] as const;

export interface ActivationPatchingOptions extends PatchingOptions {
  /** What is put in place: the residual stream after each layer (the default), or what attention or MLP write to it. */
  site?: (typeof sitesOfSweeps)[number];
}

/**
 * Puts the value of a clean run into a corrupted one, for each layer and position by itself, and measures how far that
 * brings back the clean answer (Vig et al. 2020, "causal mediation analysis"; Meng et al. 2022, "causal tracing"; method and
 * pitfalls: Heimersheim & Nanda 2024, "How to use and interpret activation patching"). This is denoising: an effect of 1
 * means that the value suffices. One run for each layer and position; runs share the keys and values before the patch.
 * Whatever else is asked of the model meanwhile waits, and this for what was asked for before.
 * @throws PersimmonError PATCHING_LENGTHS_DIFFER, PATCHING_NO_DIFFERENCE, ANSWER_INVALID, PATCHING_OPTIONS_INVALID, CACHE_OPTIONS_INVALID for
 *   a position outside of the prompts, OPTION_UNKNOWN, INTERRUPTED; MODEL_BUSY while the model is served
 */
export async function activationPatching(
  model: LanguageModel,
  options: ActivationPatchingOptions,
): Promise<PatchingResult> {
  checkPatchingOptions("activationPatching", options, ["site"]);
  const { site = "layers.*.out" } = options;
  if (!sitesOfSweeps.includes(site)) {
    throw new PersimmonError(
      "PATCHING_OPTIONS_INVALID",
      `activationPatching: site must be one of ${sitesOfSweeps.join(", ")}, got ${valueText(site)}; headPatching and neuronPatching patch parts of a layer`,
    );
  }
  using pair = new PatchingPair(model, options);
  return await pair.alone(() => positionSweep(model, pair, site, options));
}

async function positionSweep(
  model: LanguageModel,
  pair: PatchingPair,
  site: Site,
  options: PatchingOptions,
): Promise<PatchingResult> {
  const sites = matchSites(model.config, [site]);
  const clean = await pair.prepare(sites);
  const { positions } = pair;
  const scores = new Float64Array(sites.length * positions.length);
  using bar = options.progress === false ? undefined : sweepBar(`Patching ${site}`, scores.length);
  // Position by position, so that each prefix is one token longer than the former.
  for (const [column, position] of positions.entries()) {
    for (const [layer, each] of sites.entries()) {
      const value = rowOf(clean.get(each) as Activation, column);
      const spec = edits.replace(value);
      scores[layer * positions.length + column] = await pair.patched(each, spec, position);
      bar?.advance();
    }
  }
  const rows = { title: "layer", numbers: layersOf(sites) };
  const columns = { title: "position", numbers: positions, labels: pair.tokens };
  return new PatchingResult(pair, site, rows, columns, scores);
}

/**
 * As `activationPatching`, for what each head reads from the other tokens (`attn.z`), at all positions of `positions` together.
 * @throws PersimmonError as `activationPatching`
 */
export async function headPatching(model: LanguageModel, options: PatchingOptions): Promise<PatchingResult> {
  checkPatchingOptions("headPatching", options);
  using pair = new PatchingPair(model, options);
  return await pair.alone(() => headSweep(model, pair, options));
}

async function headSweep(
  model: LanguageModel,
  pair: PatchingPair,
  options: PatchingOptions,
): Promise<PatchingResult> {
  const sites = matchSites(model.config, ["layers.*.attn.z"]);
  const clean = await pair.prepare(sites);
  const heads = Array.from({ length: model.config.numAttentionHeads }, (_, head) => head);
  const scores = new Float64Array(sites.length * heads.length);
  using bar = options.progress === false ? undefined : sweepBar("Patching heads", scores.length);
  for (const [layer, site] of sites.entries()) {
    for (const head of heads) {
      const spec = edits.replace(clean.get(site) as Activation, { heads: [head] });
      scores[layer * heads.length + head] = await pair.patched(site, spec, pair.start);
      bar?.advance();
    }
  }
  const rows = { title: "layer", numbers: layersOf(sites) };
  return new PatchingResult(pair, "layers.*.attn.z", rows, { title: "head", numbers: heads }, scores);
}

export interface NeuronPatchingOptions extends PatchingOptions {
  layer: number;
  /** Neurons to patch, each by itself; default: the 32 whose activations differ most between the prompts. */
  units?: readonly number[] | { top: number };
}

/**
 * As `activationPatching`, for single neurons of one MLP (`mlp.act`), at all positions of `positions` together.
 * @throws PersimmonError as `activationPatching`
 */
export async function neuronPatching(
  model: LanguageModel,
  options: NeuronPatchingOptions,
): Promise<PatchingResult> {
  checkPatchingOptions("neuronPatching", options, ["layer", "units"]);
  const invalid = (message: string) => new PersimmonError("PATCHING_OPTIONS_INVALID", message);
  const { numHiddenLayers } = model.config;
  optionChecks(invalid).whole("neuronPatching: layer", options.layer, 0, numHiddenLayers - 1);
  using pair = new PatchingPair(model, options);
  return await pair.alone(() => neuronSweep(model, pair, options));
}

async function neuronSweep(
  model: LanguageModel,
  pair: PatchingPair,
  options: NeuronPatchingOptions,
): Promise<PatchingResult> {
  const [site] = matchSites(model.config, [`layers.${options.layer}.mlp.act`]);
  const clean = (await pair.prepare([site])).get(site) as Activation;
  const corrupted = (await pair.values("corrupted", [site])).activations.get(site) as Activation;
  const units = chosenUnits(options.units ?? { top: 32 }, clean, corrupted);
  const scores = new Float64Array(units.length);
  using bar = options.progress === false ? undefined : sweepBar("Patching neurons", units.length);
  for (const [index, unit] of units.entries()) {
    scores[index] = await pair.patched(site, edits.replace(clean, { units: [unit] }), pair.start);
    bar?.advance();
  }
  const rows = { title: "layer", numbers: [options.layer] };
  return new PatchingResult(pair, site, rows, { title: "neuron", numbers: units }, scores);
}

function sweepBar(label: string, total: number) {
  return progress({ total, label, unit: "runs" });
}

function layersOf(sites: readonly Site[]): number[] {
  return sites.map((site) => Number(site.split(".")[1]));
}

/** One position of an activation, as an activation. */
function rowOf({ data, shape, positions }: Activation, row: number): Activation {
  const width = data.length / positions.length;
  return {
    data: data.slice(row * width, (row + 1) * width),
    shape: [1, ...shape.slice(1)],
    positions: [positions[row]],
  };
}

function chosenUnits(
  units: readonly number[] | { top: number },
  clean: Activation,
  corrupted: Activation,
): readonly number[] {
  const [, width] = clean.shape;
  if (Array.isArray(units) && units.length > 0) return units;
  const { top } = Object(units) as { top: number };
  if (!Number.isInteger(top) || top < 1) {
    throw new PersimmonError(
      "PATCHING_OPTIONS_INVALID",
      `neuronPatching: units must be a list of neurons, or { top: n } with n from 1, got ${valueText(units)}`,
    );
  }
  const change = new Float64Array(width);
  for (const [at, value] of clean.data.entries()) change[at % width] += Math.abs(value - corrupted.data[at]);
  return [...change.keys()].sort((a, b) => change[b] - change[a] || a - b).slice(0, top);
}

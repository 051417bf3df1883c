import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import { optionChecks } from "../option_checks.js";
import type { Phase } from "../runtime/interventions.js";
import type { EditKind } from "../tensor/ops/index.js";
import { type Activation, ActivationCache } from "./activation_cache.js";

/** Where an edit applies; everything that is left out means everywhere. */
export interface EditFilter {
  /** Positions in the text, counted from its beginning: those listed, or a range (`to` is exclusive). */
  positions?: readonly number[] | { from?: number; to?: number };
  /** Heads, at the sites of attention; each once. */
  heads?: readonly number[];
  /** Columns of the value: neurons at `mlp.pre` and `mlp.act`; each once. */
  units?: readonly number[];
  phase?: Phase;
}

/** Numbers for an edit: one row, a kept activation (each row for its own position), or a cache with one for each site. */
export type EditValues = Float32Array | readonly number[] | Activation | ActivationCache;

/** An edit that can be put to work with `model.edit(site, spec)`. */
export interface EditSpec {
  readonly kind: EditKind;
  readonly values?: EditValues;
  /** Rows of `values` count for all positions together: their mean is taken. */
  readonly takeMean?: boolean;
  /** `edit.scale` in the beginning. */
  readonly strength: number;
  readonly limit?: number;
  readonly seed?: number;
  readonly filter: EditFilter;
}

type Scaled = EditFilter & { scale?: number };

/**
 * Throws where a filter has a name that is none, which would let the edit act everywhere.
 * @param caller such as `edits.zero`
 * @param more names that the caller has besides those of the filter
 * @throws PersimmonError OPTION_UNKNOWN, OPTION_INVALID
 */
export function checkFilter(caller: string, filter: unknown, more: readonly string[] = []): void {
  const names = ["positions", "heads", "units", "phase"] satisfies (keyof EditFilter)[];
  checkOptionNames(caller, filter, [...more, ...names]);
}

/** Sets values to 0: ablation. */
function zero(filter: EditFilter = {}): EditSpec {
  checkFilter("edits.zero", filter);
  return { kind: "set", strength: 0, filter };
}

/** Sets values to a number, or to a row of numbers. */
function set(value: number | Float32Array | readonly number[], filter: EditFilter = {}): EditSpec {
  checkFilter("edits.set", filter);
  if (typeof value === "number") return { kind: "set", strength: finite("set", value), filter };
  return { kind: "replace", values: value, strength: 1, filter };
}

/** Adds a direction, `scale` times: steering. */
function add(direction: EditValues, options: Scaled = {}): EditSpec {
  checkFilter("edits.add", options, ["scale"]);
  const { scale = 1, ...filter } = options;
  return { kind: "add", values: direction, strength: finite("add: scale", scale), filter };
}

/** Multiplies values. */
function scaleBy(factor: number, filter: EditFilter = {}): EditSpec {
  checkFilter("edits.scale", filter);
  return { kind: "scale", strength: finite("scale", factor), filter };
}

/**
 * Puts other values in place: activation patching. With an activation of another run each row goes to its own position, and
 * other positions stay as they are. A scale below 1 mixes.
 */
function replace(values: EditValues, options: Scaled = {}): EditSpec {
  checkFilter("edits.replace", options, ["scale"]);
  const { scale = 1, ...filter } = options;
  return { kind: "replace", values, strength: finite("replace: scale", scale), filter };
}

/** Removes what lies along a direction (Arditi et al. 2024, "directional ablation"); its length does not matter. */
function project(direction: Float32Array | readonly number[], options: Scaled = {}): EditSpec {
  checkFilter("edits.project", options, ["scale"]);
  const { scale = 1, ...filter } = options;
  return { kind: "project", values: direction, strength: finite("project: scale", scale), filter };
}

/** Limits values from below, from above, or both. */
function clamp(options: EditFilter & { min?: number; max?: number }): EditSpec {
  checkFilter("edits.clamp", options, ["min", "max"]);
  const { min, max, ...filter } = options;
  if (min === undefined && max === undefined) {
    throw new PersimmonError("EDIT_INVALID", "edits.clamp needs min, max or both, such as { max: 4 }");
  }
  const [from, to] = [limit("clamp: min", min, -Infinity), limit("clamp: max", max, Infinity)];
  if (from > to) throw new PersimmonError("EDIT_INVALID", `edits.clamp: min ${min} is above max ${max}`);
  return { kind: "clamp", strength: from, limit: to, filter };
}

/** Replaces values by their mean over the rows of an activation: mean ablation. */
function mean(values: Activation | ActivationCache, filter: EditFilter = {}): EditSpec {
  checkFilter("edits.mean", filter);
  return { kind: "replace", values, takeMean: true, strength: 1, filter };
}

/** Adds near-normal noise that depends on the seed, the position and the column only. */
function noise(options: EditFilter & { deviation: number; seed?: number }): EditSpec {
  checkFilter("edits.noise", options, ["deviation", "seed"]);
  const { deviation, seed = 0, ...filter } = options;
  optionChecks((message) => new PersimmonError("EDIT_INVALID", message)).whole("edits.noise: seed", seed, 0);
  return { kind: "noise", strength: finite("noise: deviation", deviation), seed, filter };
}

/**
 * Changes that stay inside the graph; see `model.edit`. They throw `EDIT_INVALID` for numbers that are none, `OPTION_UNKNOWN` and
 * `OPTION_INVALID` for a filter that is none.
 */
export const edits = { zero, set, add, scale: scaleBy, replace, project, clamp, mean, noise };

function finite(what: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new PersimmonError("EDIT_INVALID", `edits.${what} must be a number, got ${valueText(value)}`);
}

/** One limit of a clamp, which may be infinite. */
function limit(what: string, value: unknown, none: number): number {
  if (value === undefined) return none;
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  throw new PersimmonError("EDIT_INVALID", `edits.${what} must be a number, got ${valueText(value)}`);
}

/** The activation that `values` holds for a site, or undefined when it is a row of numbers. */
export function activationFor(values: EditValues, site: string): Activation | undefined {
  if (values instanceof ActivationCache) return values.get(site as never);
  if (values instanceof Float32Array || Array.isArray(values)) return undefined;
  const activation = values as Activation | undefined;
  if (activation?.data instanceof Float32Array && Array.isArray(activation.positions)) return activation;
  throw new PersimmonError(
    "EDIT_INVALID",
    `the values of an edit are a Float32Array, a list of numbers, an activation of a cache, or a cache, got ${valueText(values)}`,
  );
}

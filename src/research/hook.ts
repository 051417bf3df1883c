import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import type { HookFunction, Intervention, Phase, WatchFunction } from "../runtime/interventions.js";
import type { Runtime } from "../runtime/runtime.js";
import { matchSites, type Site } from "../runtime/sites.js";
import { sha256Of } from "../sha256.js";
import { InterventionHandle } from "./intervention_handle.js";

export interface InterventionOptions {
  /** Only for prompts, or only for generated tokens; default: both. */
  phase?: Phase;
}

export function makeHook(
  runtime: Runtime,
  site: Site,
  run: HookFunction,
  options: InterventionOptions,
): InterventionHandle {
  expectFunction("hook", run);
  checkInterventionOptions("model.hook", options);
  const common = commonParts(runtime, site, options, "a hook cannot be set");
  const describe = () => `${run.name || "a function"} ${sha256Of(String(run)).slice(0, 12)}`;
  return new InterventionHandle(runtime, site, { kind: "hook", run, describe, ...common });
}

export function makeWatch(
  runtime: Runtime,
  site: Site,
  see: WatchFunction,
  options: InterventionOptions,
): InterventionHandle {
  expectFunction("watch", see);
  checkInterventionOptions("model.watch", options);
  const common = commonParts(runtime, site, options, "a watch cannot be set");
  return new InterventionHandle(runtime, site, { kind: "watch", see, ...common });
}

/** Throws `OPTION_UNKNOWN`, `OPTION_INVALID`. Only edits can be limited to some positions, heads or units. */
export function checkInterventionOptions(caller: string, options: InterventionOptions): void {
  checkOptionNames(caller, options, ["phase"] satisfies (keyof InterventionOptions)[]);
}

/** What all interventions have, checked. Throws `SITE_UNKNOWN`, `PHASE_INVALID`, `MODEL_BUSY`. */
export function commonParts(
  runtime: Runtime,
  site: Site,
  options: InterventionOptions,
  what: string,
): Pick<Intervention, "sites" | "phase"> {
  const { phase } = options;
  if (phase !== undefined && phase !== "prefill" && phase !== "decode") {
    throw new PersimmonError("PHASE_INVALID", `phase must be "prefill" or "decode", got ${valueText(phase)}`);
  }
  const sites = matchSites(runtime.model.config, [site]);
  runtime.expectIdle(what);
  return { sites, phase };
}

function expectFunction(name: string, value: unknown): void {
  if (typeof value === "function") return;
  throw new PersimmonError(
    "ARGUMENT_INVALID",
    `model.${name}(site, f): f must be a function (x, at) => …, got ${valueText(value)}`,
  );
}

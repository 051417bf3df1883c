import type { Intervention, Phase } from "../runtime/interventions.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Site } from "../runtime/sites.js";

/** By what the runtime knows: a handle that nobody keeps is found again here. */
const handles = new WeakMap<Intervention, InterventionHandle>();

/** An edit, a hook, a watch or a counter at work, until it is disposed of; doing so twice is harmless. */
export class InterventionHandle implements Disposable {
  readonly kind: Intervention["kind"];
  /** As it was asked for, such as `layers.*.out`. */
  readonly site: Site;
  /** Each site that `site` stands for. */
  readonly sites: readonly Site[];
  /** The only phase in which it is in force; undefined for both. */
  readonly phase: Phase | undefined;
  readonly #describe: (() => string) | undefined;
  readonly #end: () => void;
  #isInForce = true;

  constructor(runtime: Runtime, site: Site, intervention: Intervention) {
    const { kind, sites, phase } = intervention;
    this.kind = kind;
    this.site = site;
    this.sites = sites;
    this.phase = phase;
    this.#describe = intervention.describe && (() => intervention.describe?.(sites[0]) ?? "");
    this.#end = runtime.interventions.add(intervention);
    handles.set(intervention, this);
  }

  /** Whether it was not disposed of. */
  get isInForce(): boolean {
    return this.#isInForce;
  }

  dispose(): void {
    this.#isInForce = false;
    this.#end();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * What it does now, such as `edit layers.3.attn.z (prefill, decode): set 0, heads 1 4`; of several sites, whose values may differ, at
   * the first.
   */
  toString(): string {
    const what = this.#describe === undefined ? "" : `: ${this.#describe()}`;
    const ended = this.#isInForce ? "" : " (disposed of)";
    return `${this.kind} ${this.site} (${this.phase ?? "prefill, decode"})${what}${ended}`;
  }

  /** How Node and a notebook print it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return String(this);
  }
}

/** The handles of all that is in force, in the order in which it was asked for. */
export function handlesInForce(runtime: Runtime): InterventionHandle[] {
  return runtime.interventions
    .list()
    .map((intervention) => handles.get(intervention))
    .filter((handle) => handle !== undefined);
}

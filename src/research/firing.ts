import { PersimmonError } from "../errors.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Site } from "../runtime/sites.js";
import { siteWidth } from "../runtime/sites.js";
import * as ops from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import { FiringCounts } from "./firing_counts.js";
import { checkInterventionOptions, commonParts, type InterventionOptions } from "./hook.js";
import { InterventionHandle } from "./intervention_handle.js";

/**
 * Counts how often each unit fires (is above 0), natively and inside the graph: a generation is not slowed, and nothing is
 * read before one asks.
 */
export class FiringCounter extends InterventionHandle {
  readonly #counts: Map<Site, Tensor>;
  readonly #tokens: { count: number };
  readonly #units: number;

  constructor(runtime: Runtime, site: Site, options: InterventionOptions = {}) {
    checkInterventionOptions("model.countFiring", options);
    const common = commonParts(runtime, site, options, "a counter cannot be set");
    const grows = common.sites.find((each) => each.endsWith(".pattern"));
    if (grows !== undefined) {
      throw new PersimmonError(
        "ARGUMENT_INVALID",
        `${grows} grows with the text and has no units to count; watch it instead`,
      );
    }
    const { config } = runtime.model;
    const units = siteWidth(config, common.sites[0], 0);
    const counts = new Map<Site, Tensor>();
    for (const each of common.sites) {
      counts.set(each, Tensor.from(runtime.device, new Int32Array(units)).keep());
    }
    const tokens = { count: 0 };
    super(runtime, site, {
      kind: "count",
      ...common,
      count: (at, x) => {
        const [rows] = x.shape;
        ops.countPositive(counts.get(at) as Tensor, x.reshape([rows, x.size / rows]));
      },
      counted: (rows) => {
        tokens.count += rows;
      },
    });
    this.#counts = counts;
    this.#tokens = tokens;
    this.#units = units;
  }

  /** The counts so far, with a figure and a table. */
  async read(): Promise<FiringCounts> {
    const counts = new Uint32Array(this.sites.length * this.#units);
    for (const [index, site] of this.sites.entries()) {
      counts.set(await (this.#counts.get(site) as Tensor).integers(), index * this.#units);
    }
    return new FiringCounts([...this.sites], counts, this.#units, this.#tokens.count);
  }

  /** Begins again at 0. */
  reset(): void {
    for (const counter of this.#counts.values()) counter.write(new Int32Array(this.#units));
    this.#tokens.count = 0;
  }
}

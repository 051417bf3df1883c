import { tableHtml } from "../display/table_html.js";
import { PersimmonError, valueText } from "../errors.js";
import type { Site } from "../runtime/sites.js";

/** Values of one site at the kept positions. */
export interface Activation {
  data: Float32Array;
  /** [positions, …]: [positions, width], for q, k and v [positions, heads, headDim], for a pattern [positions, heads, keys] */
  shape: number[];
  /** Position in the text of each row. */
  positions: number[];
}

/** Values of several sites behind one another. */
export interface ActivationStack {
  /** Row-major. */
  data: Float32Array;
  /** [sites, positions, …]; for `layers.*.out` [layers, positions, hidden] */
  shape: number[];
  sites: Site[];
  /** Position in the text of each row. */
  positions: number[];
}

/** What a run kept. */
export class ActivationCache {
  private readonly activations: Map<string, Activation>;

  constructor(activations: Map<string, Activation>) {
    this.activations = activations;
  }

  /** The sites that were kept, in the order of the forward pass. */
  get sites(): string[] {
    return [...this.activations.keys()];
  }

  /** How a notebook shows it: what was kept. */
  [Symbol.for("Jupyter.display")](): Record<string, unknown> {
    const values = [...this.activations].map(([site, { shape }]) => [site, `[${shape.join(", ")}]`]);
    const text = values.map((row) => row.join("  ")).join("\n");
    return {
      "text/html": tableHtml({ columns: ["site", "shape"], values, shape: [values.length, 2] }),
      "text/plain": text,
    };
  }

  /** The values at a site. Throws `SITE_NOT_CACHED`. */
  get(site: Site): Activation {
    const activation = this.activations.get(site);
    if (activation === undefined) {
      const isPattern = typeof site === "string" && site.includes("*");
      if (isPattern && this.#matching(site).length > 0) {
        throw new PersimmonError(
          "SITE_NOT_CACHED",
          `get gives one site, and "${site}" stands for several: cache.stack("${site}") gives them as one array`,
        );
      }
      throw new PersimmonError(
        "SITE_NOT_CACHED",
        `${valueText(site)} was not kept by this run; it kept ${this.sites.slice(0, 8).join(", ")}${this.sites.length > 8 ? ", …" : ""}. Name it in \`names\`.`,
      );
    }
    return activation;
  }

  /**
   * The kept values of all sites that a name with `*` stands for, such as `layers.*.out`, as one array.
   * @throws PersimmonError SITE_NOT_CACHED where none of them was kept, SHAPE_MISMATCH where they have different shapes
   */
  stack(name: Site): ActivationStack {
    if (typeof name !== "string") {
      throw new PersimmonError(
        "SITE_NOT_CACHED",
        `stack takes a name such as "layers.*.out", got ${valueText(name)}`,
      );
    }
    const sites = this.#matching(name);
    const first = this.get(sites[0] ?? name);
    const size = first.data.length;
    const data = new Float32Array(sites.length * size);
    for (const [index, site] of sites.entries()) {
      const { data: values, shape } = this.get(site);
      if (shape.join() !== first.shape.join()) {
        throw new PersimmonError(
          "SHAPE_MISMATCH",
          `values of one shape can be stacked, but ${sites[0]} is [${first.shape.join(", ")}] and ${site} is [${shape.join(", ")}]`,
        );
      }
      data.set(values, index * size);
    }
    return { data, shape: [sites.length, ...first.shape], sites, positions: [...first.positions] };
  }

  /** The kept sites that a name with `*` stands for. */
  #matching(name: string): Site[] {
    const parts = name.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    const pattern = new RegExp(`^${parts.join("[^.]+")}$`);
    return this.sites.filter((site) => pattern.test(site)) as Site[];
  }
}

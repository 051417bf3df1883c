import { tableHtml } from "../display/table_html.js";
import { PersimmonError } from "../errors.js";
import type { Site } from "../runtime/sites.js";

/** Values of one site at the kept positions. */
export interface Activation {
  data: Float32Array;
  /** [positions, …]: [positions, width], for q, k and v [positions, heads, headDim], for a pattern [positions, heads, keys] */
  shape: number[];
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
      throw new PersimmonError(
        "SITE_NOT_CACHED",
        `"${site}" was not kept by this run; it kept ${this.sites.slice(0, 8).join(", ")}${this.sites.length > 8 ? ", …" : ""}. Name it in \`names\`.`,
      );
    }
    return activation;
  }
}

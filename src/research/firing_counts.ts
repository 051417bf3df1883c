import type { DataFrame } from "danfojs-node";
import type { Figure } from "../display/figure.js";
import { line } from "../display/line.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { grouped, percent } from "../display/numbers.js";
import { table } from "../display/table.js";
import { PersimmonError } from "../errors.js";
import type { Site } from "../runtime/sites.js";
import { figureBundle } from "./figure_bundle.js";

/** How often each unit was above 0. */
export class FiringCounts {
  constructor(
    readonly sites: readonly Site[],
    /** Row-major, [sites, units] */
    readonly counts: Uint32Array,
    /** Units of each site. */
    readonly units: number,
    /** Tokens that were looked at. */
    readonly tokens: number,
  ) {}

  get shape(): [sites: number, units: number] {
    return [this.sites.length, this.units];
  }

  /** Share of tokens for which each unit of a site fired, [units]. Throws `SITE_NOT_COUNTED`. */
  rates(site: Site): Float64Array {
    const row = this.sites.indexOf(site);
    if (row < 0) {
      throw new PersimmonError(
        "SITE_NOT_COUNTED",
        `${site} was not counted; ${this.sites.slice(0, 8).join(", ")}${this.sites.length > 8 ? ", …" : ""} were`,
      );
    }
    const counts = this.counts.subarray(row * this.units, (row + 1) * this.units);
    return Float64Array.from(counts, (count) => (this.tokens === 0 ? 0 : count / this.tokens));
  }

  /** One row for each site. */
  table(): DataFrame {
    return table(this.#records());
  }

  /** For each site the share of tokens on which its units fire, from the busiest unit to the quietest. */
  figure(): Figure {
    const points = Math.min(200, this.units);
    const ranks = Array.from({ length: points }, (_, at) =>
      Math.round((at * (this.units - 1)) / Math.max(1, points - 1)),
    );
    return line(
      this.sites.map((site) => {
        const sorted = this.rates(site).sort().reverse();
        return {
          name: site,
          x: ranks.map((rank) => rank + 1),
          y: ranks.map((rank) => sorted[rank]),
          hover: ranks.map((rank) => `${site}, unit of rank ${rank + 1}: ${percent(sorted[rank])}`),
        };
      }),
      {
        title: "How often each unit fires",
        subtitle: `units of each site from the busiest to the quietest, over ${grouped(this.tokens)} tokens`,
        x: "unit by rank",
        y: "tokens on which it fires",
        markers: false,
        layout: {
          yaxis: { tickformat: ".0%", rangemode: "tozero" },
          showlegend: this.sites.length > 1 && this.sites.length <= 12,
        },
      },
    );
  }

  [jupyterDisplay](): MimeBundle {
    const lines = this.#records().map(
      (record) => `${record.site}: ${record["fire on a token (%)"]} % of the units fire on a token`,
    );
    return figureBundle(this.figure(), [`Firing over ${grouped(this.tokens)} tokens`, ...lines].join("\n"));
  }

  #records() {
    return this.sites.map((site) => {
      const sorted = this.rates(site).sort();
      const mean = sorted.reduce((sum, rate) => sum + rate, 0) / this.units;
      const asPercent = (rate: number) => Number((100 * rate).toFixed(2));
      return {
        site,
        "fire on a token (%)": asPercent(mean),
        "median unit (%)": asPercent(sorted[Math.floor(this.units / 2)]),
        "busiest unit (%)": asPercent(sorted[this.units - 1]),
        "never fired": sorted.lastIndexOf(0) + 1,
      };
    });
  }
}

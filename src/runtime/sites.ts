import { PersimmonError, valueText } from "../errors.js";
import type { PersimmonConfig } from "../model/config.js";
import { nearestNames } from "../nearest_names.js";
import { siteOfTransformerLens } from "./transformer_lens_names.js";

type Layer = `layers.${number | "*"}`;

/** Names of values inside a forward pass that can be looked at; `*` stands for every layer. */
export type Site =
  | "embed.out"
  | "finalNorm.out"
  | "logits"
  | `${Layer}.${"in" | "mid" | "out"}`
  | `${Layer}.attn.${"q" | "k" | "v" | "qRot" | "kRot" | "pattern" | "z" | "out"}`
  | `${Layer}.mlp.${"in" | "pre" | "act" | "out"}`;

const layerSites = [
  "in",
  "attn.q",
  "attn.k",
  "attn.v",
  "attn.qRot",
  "attn.kRot",
  "attn.pattern",
  "attn.z",
  "attn.out",
  "mid",
  "mlp.in",
  "mlp.pre",
  "mlp.act",
  "mlp.out",
  "out",
] as const;

/** All sites of a model, in the order of the forward pass. */
export function allSites(config: PersimmonConfig): Site[] {
  const layers = Array.from({ length: config.numHiddenLayers }, (_, n) =>
    layerSites.map((site) => `layers.${n}.${site}` as Site),
  );
  return ["embed.out", ...layers.flat(), "finalNorm.out", "logits"];
}

/**
 * The sites that names stand for, in the order of the forward pass.
 * @throws PersimmonError SITE_UNKNOWN for a name that fits none, with the nearest names or, for a name of TransformerLens, with
 *   the site that it stands for
 */
export function matchSites(config: PersimmonConfig, names: readonly string[]): Site[] {
  if (!Array.isArray(names)) {
    throw new PersimmonError(
      "SITE_UNKNOWN",
      `sites are named in a list, such as ["layers.*.out"], got ${valueText(names)}`,
    );
  }
  const sites = allSites(config);
  const wanted = new Set<Site>();
  for (const name of names as readonly unknown[]) {
    if (typeof name !== "string") {
      throw new PersimmonError(
        "SITE_UNKNOWN",
        `a site is a name such as "layers.0.out" or "layers.*.mlp.act", got ${valueText(name)}`,
      );
    }
    const pattern = new RegExp(`^${name.split("*").map(escaped).join("[^.]+")}$`);
    const matches = sites.filter((site) => pattern.test(site));
    if (matches.length === 0) {
      const own = siteOfTransformerLens(name);
      if (own !== undefined) {
        throw new PersimmonError(
          "SITE_UNKNOWN",
          `"${name}" is what TransformerLens calls it; here it is "${own}"`,
        );
      }
      throw new PersimmonError(
        "SITE_UNKNOWN",
        `"${name}" is no site of this model (${config.numHiddenLayers} layers); the nearest are ${nearestNames(name, sites, 3).join(", ")}`,
      );
    }
    for (const site of matches) wanted.add(site);
  }
  return sites.filter((site) => wanted.has(site));
}

/** Elements of one position at a site; `keys` is the number of keys that a pattern spans. */
export function siteWidth(config: PersimmonConfig, site: Site, keys: number): number {
  if (site === "logits") return config.vocabSize;
  if (site.endsWith("attn.pattern")) return config.numAttentionHeads * keys;
  if (site.endsWith("mlp.pre") || site.endsWith("mlp.act")) return config.intermediateSize;
  return config.hiddenSize;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

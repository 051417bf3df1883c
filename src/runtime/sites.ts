import { PersimmonError } from "../errors.js";
import type { PersimmonConfig } from "../model/config.js";

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
 * @throws PersimmonError SITE_UNKNOWN for a name that fits none, with the nearest names
 */
export function matchSites(config: PersimmonConfig, names: readonly string[]): Site[] {
  const sites = allSites(config);
  const wanted = new Set<Site>();
  for (const name of names) {
    const pattern = new RegExp(`^${name.split("*").map(escaped).join("[^.]+")}$`);
    const matches = sites.filter((site) => pattern.test(site));
    if (matches.length === 0) {
      throw new PersimmonError(
        "SITE_UNKNOWN",
        `"${name}" is no site of this model (${config.numHiddenLayers} layers); the nearest are ${nearest(name, sites).join(", ")}`,
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

function nearest(name: string, sites: readonly Site[]): string[] {
  return [...sites].sort((a, b) => editDistance(name, a) - editDistance(name, b)).slice(0, 3);
}

/** Levenshtein distance: the fewest insertions, deletions and replacements that turn one text into the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}

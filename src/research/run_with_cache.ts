import { PersimmonError, valueText } from "../errors.js";
import { interruptSignal } from "../host.js";
import type { Persimmon } from "../model/persimmon.js";
import { optionChecks } from "../option_checks.js";
import type { PromptOptions } from "../runtime/prefill.js";
import { promptLogits } from "../runtime/prompt_logits.js";
import type { Runtime } from "../runtime/runtime.js";
import { matchSites, type Site, siteWidth } from "../runtime/sites.js";
import { ActivationCache } from "./activation_cache.js";
import { KeptRows } from "./kept_rows.js";

export interface CacheOptions {
  /** Sites to keep, such as `layers.*.mlp.act`. */
  names: readonly Site[];
  /** Positions to keep: all (the default), the last, those listed, or every n-th from the first. */
  keep?: "all" | "last" | readonly number[] | { every: number };
  /** Of which positions there are logits: all (the default), or the last one, which spares the head's work for the others. */
  logits?: "all" | "last";
  /** Refuse before the run when the kept values and the logits would take more bytes; 2e9. */
  maxBytes?: number;
}

/** Besides those of every prompt. */
export const cacheOptionNames = ["names", "keep", "logits", "maxBytes"] satisfies (keyof CacheOptions)[];

/**
 * Which positions of a text of `tokens` tokens are kept. Throws `CACHE_OPTIONS_INVALID`.
 * @param name how the caller calls the option, for the message
 */
export function keptPositions(keep: CacheOptions["keep"], tokens: number, name = "keep"): number[] {
  const all = Array.from({ length: tokens }, (_, position) => position);
  if (keep === undefined || keep === "all") return all;
  if (keep === "last") return [tokens - 1];
  if (Array.isArray(keep)) {
    for (const position of keep) {
      if (!Number.isInteger(position) || position < 0 || position >= tokens) {
        throw new PersimmonError(
          "CACHE_OPTIONS_INVALID",
          `${name}: position ${valueText(position)} is outside the text of ${tokens} tokens`,
        );
      }
    }
    return [...keep];
  }
  const every = (keep as { every?: number } | null)?.every;
  if (every === undefined || !Number.isInteger(every) || every < 1) {
    throw new PersimmonError(
      "CACHE_OPTIONS_INVALID",
      `${name} must be "all", "last", a list of positions or { every: n } with n from 1, got ${valueText(keep)}`,
    );
  }
  return all.filter((position) => position % every === 0);
}

/** Runs `ids`, a chunk at a time, and keeps the values at the named sites. */
export async function runWithCache(
  at: Runtime,
  ids: readonly number[],
  options: CacheOptions & PromptOptions,
): Promise<{ logits: { data: Float32Array; shape: number[] }; cache: ActivationCache }> {
  if (!Array.isArray(options?.names) || options.names.length === 0) {
    throw new PersimmonError(
      "CACHE_OPTIONS_INVALID",
      'runWithCache needs `names`, the sites to keep, such as ["layers.*.out"]',
    );
  }
  const { config } = at.model;
  const maxBytes = checkedMaxBytes("runWithCache: maxBytes", options.maxBytes);
  const sites = matchSites(config, options.names);
  const positions = keptPositions(options.keep, ids.length);
  const { logits: wanted = "all" } = options;
  const invalid = (message: string) => new PersimmonError("CACHE_OPTIONS_INVALID", message);
  optionChecks(invalid).oneOf("runWithCache: logits", wanted, ["all", "last"]);
  if (wanted === "last" && sites.includes("logits")) {
    throw invalid('the site "logits" has every position: leave it out of `names`, or logits: "last"');
  }
  checkBudget(at.model, sites, positions.length, ids.length, wanted, maxBytes);

  const kept = new KeptRows(at.device, sites, positions, ids.length);
  try {
    const logits = await promptLogits(at, ids, {
      signal: interruptSignal(options.signal),
      logits: wanted,
      onProgress: options.onProgress,
      observer: kept,
      afterChunk: (count) => kept.take(count),
    });
    return { logits, cache: new ActivationCache(kept.activations) };
  } finally {
    kept.release();
  }
}

/** @throws PersimmonError CACHE_OPTIONS_INVALID unless it is a number from 0, or left out, which is 2e9 */
export function checkedMaxBytes(name: string, maxBytes: number = 2e9): number {
  const invalid = (message: string) => new PersimmonError("CACHE_OPTIONS_INVALID", message);
  return optionChecks(invalid).between(name, maxBytes, 0, Number.POSITIVE_INFINITY);
}

function checkBudget(
  model: Persimmon,
  sites: readonly Site[],
  kept: number,
  tokens: number,
  logits: "all" | "last",
  maxBytes: number,
): void {
  const rows = logits === "all" ? tokens : 1;
  const ofLogits = rows * model.config.vocabSize * 4;
  let total = ofLogits;
  let largest = { what: rows === 1 ? "the logits" : `the logits of ${rows} positions`, bytes: ofLogits };
  for (const site of sites) {
    const bytes = kept * siteWidth(model.config, site, tokens) * 4;
    total += bytes;
    if (bytes > largest.bytes) largest = { what: site, bytes };
  }
  if (total > maxBytes) {
    const megabytes = (bytes: number) => `${Number((bytes / 1e6).toPrecision(3))} MB`;
    throw new PersimmonError(
      "CACHE_OVER_BUDGET",
      `the cache and the logits would take ${megabytes(total)} (${sites.length} sites, ${kept} positions), more than maxBytes of ${megabytes(maxBytes)}; the largest part is ${largest.what} with ${megabytes(largest.bytes)}. Keep fewer positions or sites, take logits: "last", or raise maxBytes.`,
    );
  }
}

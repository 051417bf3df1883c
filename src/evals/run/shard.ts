import { PersimmonError } from "../../errors.js";
import { sha256Of } from "../sha256.js";

/** Part `index` of `count` parts of a run. */
export interface Shard {
  /** From 0 to `count` − 1. */
  index: number;
  count: number;
}

/** Reads "i/n", such as "0/4". Throws `EVAL_OPTIONS_INVALID`. */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d{1,9})\/(\d{1,9})$/.exec(String(text)) ?? [];
  if (count !== undefined && Number(index) < Number(count)) {
    return { index: Number(index), count: Number(count) };
  }
  throw new PersimmonError(
    "EVAL_OPTIONS_INVALID",
    `shard must be "i/n" with 0 ≤ i < n, such as "0/4", got ${JSON.stringify(text)}`,
  );
}

/** The shard of an item: SHA-256 of its id in UTF-8, as a big-endian number, modulo the number of shards. */
export function shardOf(id: string, count: number): number {
  return Number(BigInt(`0x${idHash(id)}`) % BigInt(count));
}

/** Those of the items that belong to a shard; each item belongs to exactly one of `count`. */
export function inShard<Item extends { readonly id: string }>(items: readonly Item[], shard: Shard): Item[] {
  return items.filter(({ id }) => shardOf(id, shard.count) === shard.index);
}

/**
 * At most `limit` items, spread over the data: those whose ids have the lowest SHA-256, in the order of the data. They do not
 * depend on that order, and a larger limit keeps them.
 */
export function limited<Item extends { readonly id: string }>(
  items: readonly Item[],
  limit: number | undefined,
): Item[] {
  if (limit === undefined || limit >= items.length) return [...items];
  const hashes = new Map(items.map((item) => [item, idHash(item.id)]));
  const sorted = [...items].sort((a, b) => (hashes.get(a)! < hashes.get(b)! ? -1 : 1));
  const chosen = new Set(sorted.slice(0, limit));
  return items.filter((item) => chosen.has(item));
}

function idHash(id: string): string {
  return sha256Of(id);
}

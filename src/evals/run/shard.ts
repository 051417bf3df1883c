import { PersimmonError } from "../../errors.js";
import { sha256Of } from "../../sha256.js";

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
  return Number(BigInt(`0x${sha256Of(id)}`) % BigInt(count));
}

/** Those of the items that belong to a shard; each item belongs to exactly one of `count`. */
export function inShard<Item extends { readonly id: string }>(items: readonly Item[], shard: Shard): Item[] {
  return items.filter(({ id }) => shardOf(id, shard.count) === shard.index);
}

/**
 * The items in the order in which they are asked: by the SHA-256 of their ids. It does not depend on the order of the data, and
 * the first k are as good as drawn at random: what a run has so far is a fair sample of all, whatever the lengths of
 * the questions. Batches of equal lengths would not be faster: on 570 items of ARC-Easy, 164 of HumanEval and 328 of
 * TriviaQA the longest first read 0, 1 and 3 % fewer bytes of weights, in batches of 16.
 */
export function shuffled<Item extends { readonly id: string }>(items: readonly Item[]): Item[] {
  const hashes = new Map(items.map(({ id }) => [id, sha256Of(id)]));
  return [...items].sort((a, b) => (hashes.get(a.id)! < hashes.get(b.id)! ? -1 : 1));
}

/** The first `limit` of the items as they are asked, in the order of the data. A larger limit keeps them. */
export function limited<Item extends { readonly id: string }>(
  items: readonly Item[],
  limit: number | undefined,
): Item[] {
  if (limit === undefined || limit >= items.length) return [...items];
  const chosen = new Set(shuffled(items).slice(0, limit));
  return items.filter((item) => chosen.has(item));
}

import type { KvCache } from "../../runtime/kv_cache.js";
import type { Question } from "./prepare.js";

/** The longest first; of equal ones by id, so that the order does not depend on that of the data. */
export function order(a: Question, b: Question): number {
  return b.ids.length - a.ids.length || (a.item.id < b.item.id ? -1 : a.item.id > b.item.id ? 1 : 0);
}

/**
 * What is run together, in the order in which it comes: at most `most`, and no more than the KV cache has room for.
 * @param pagesOf pages of the KV cache that one takes
 * @param goesWith whether one may follow another in a batch
 */
export function* batches<T>(
  all: Iterable<T>,
  most: number,
  kv: Pick<KvCache, "pageCount">,
  pagesOf: (one: T) => number,
  goesWith: (one: T, last: T) => boolean = () => true,
): Generator<T[], void, undefined> {
  let batch: T[] = [];
  let pages = 0;
  for (const one of all) {
    const own = pagesOf(one);
    const last = batch.at(-1);
    const isFull = batch.length >= most || pages + own > kv.pageCount;
    if (last !== undefined && (isFull || !goesWith(one, last))) {
      yield batch;
      batch = [];
      pages = 0;
    }
    batch.push(one);
    pages += own;
  }
  if (batch.length > 0) yield batch;
}

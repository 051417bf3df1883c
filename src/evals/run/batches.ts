import type { KvCache } from "../../runtime/kv_cache.js";

/** How what is run together is chosen. */
export interface Packing<T> {
  /** Most of a batch. */
  most: number;
  kv: Pick<KvCache, "pageCount">;
  /** Pages of the KV cache that one takes: a batch takes no more than there are. */
  pagesOf: (one: T) => number;
  /** Whether one may follow another in a batch; default: any. */
  goesWith?: (one: T, last: T) => boolean;
}

/**
 * The batches that are still to be made. What an interrupted batch has left comes first and alone: so the batches after it
 * are those that they would have been, and the file of a run that was gone on with has the lines of one that was not
 * interrupted in the same order.
 * @param all in the order in which they are made, with those that are done
 */
export function* batchesLeft<T>(
  all: readonly T[],
  isDone: (one: T) => boolean,
  packing: Packing<T>,
): Generator<T[], void, undefined> {
  const missing = all.filter((one) => !isDone(one));
  for (const batch of batches(all, packing)) {
    const left = batch.filter((one) => !isDone(one)).length;
    if (left === 0) continue;
    yield* batches(missing.slice(0, left), packing);
    yield* batches(missing.slice(left), packing);
    return;
  }
}

/** All in batches, each as large as it may be. */
function* batches<T>(
  all: readonly T[],
  { most, kv, pagesOf, goesWith = () => true }: Packing<T>,
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

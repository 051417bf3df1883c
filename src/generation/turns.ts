import type { KvCache } from "../runtime/kv_cache.js";

/** A part of the prompts of a batch: from `first` to before `end`. */
export interface Turn {
  first: number;
  end: number;
}

/** What is known of a batch before it runs. */
export interface BatchSize {
  /** Most tokens that each prompt gets. */
  maxNewTokens: number;
  /** Tokens that all prompts begin with and that are computed once. */
  shared: number;
  /** Positions of the longest text. */
  maxLength: number;
}

/**
 * Parts prompts into turns whose texts have room in the KV cache together, however long they become: all of them in one, where that
 * is so. A text that has no room even alone is a turn of its own, since it may end before the cache is full.
 * @throws PersimmonError KV_CACHE_FULL where a prompt itself has no room
 */
export function turnsOf(kv: KvCache, prompts: readonly (readonly number[])[], size: BatchSize): Turn[] {
  const pagesFor = (positions: number) => Math.ceil(positions / kv.pageTokens);
  const free = kv.freePageCount;
  for (const [index, { length }] of prompts.entries()) {
    kv.expectRoom(pagesFor(length), `prompt ${index} of ${length} tokens`);
  }
  // Only whole pages are shared: each text goes on in a page of its own.
  const sharedPages = Math.floor(size.shared / kv.pageTokens);
  const turns: Turn[] = [];
  let left = 0;
  for (const [index, { length }] of prompts.entries()) {
    const longest = Math.min(length + size.maxNewTokens, size.maxLength);
    const own = pagesFor(longest) - sharedPages;
    if (index === 0 || own > left) {
      turns.push({ first: index, end: index });
      left = free - sharedPages;
    }
    turns[turns.length - 1].end = index + 1;
    left -= own;
  }
  return turns;
}

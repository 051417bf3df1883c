import { PersimmonError } from "../errors.js";
import { type NativeBuffer, native, nativeDType } from "../native.js";
import type { Device } from "../tensor/device.js";
import { bytesPerElement } from "../tensor/dtype.js";
import { elementCount } from "../tensor/element_count.js";
import { Tensor } from "../tensor/tensor.js";

/** Positions in a page. A page of one head in float32 is then 32 · 64 · 4 B = 8 KiB, two pages of the processor. */
export const pageTokens = 32;

/**
 * Types that keys and values can be kept in, from heavy to light. bfloat16 and int8 round them when they are stored; int8 has a float32 scale for
 * each head of a position, its largest number / 127, so that an element is off by 0.4 % of that at most.
 */
export const kvDTypes = ["float32", "bfloat16", "int8"] as const;
export type KvDType = (typeof kvDTypes)[number];

/** Bytes that the scale of one head of a position takes. */
const scaleBytes: Record<KvDType, number> = { float32: 0, bfloat16: 0, int8: bytesPerElement.float32 };

/** Bytes that keys and values of one position take over all layers. */
export function kvBytesPerToken({ layers, heads, headDim, dtype = "float32" }: KvShape): number {
  return 2 * layers * heads * (headDim * bytesPerElement[dtype] + scaleBytes[dtype]);
}

/**
 * Positions that a cache is to have: the wanted ones, but on GPUs, which have no address space without memory, what fits into half of
 * the memory that is free on the one with the least, and a page at least.
 * @param devices those that have a part of each position
 * @param bytesPerToken what a position takes on each of them
 * @param wanted such as four contexts
 */
export function kvCapacity(
  devices: readonly { gpu: { freeBytes: number } | undefined }[],
  bytesPerToken: number,
  wanted: number,
): number {
  const free = devices.map(({ gpu }) => gpu?.freeBytes ?? Number.POSITIVE_INFINITY);
  const room = Math.floor(Math.min(...free) / 2 / bytesPerToken);
  return Math.max(Math.min(wanted, room), Math.min(wanted, pageTokens));
}

export interface KvShape {
  layers: number;
  heads: number;
  headDim: number;
  /** float32 */
  dtype?: KvDType;
}

/** One layer's keys and values, each [pageCount, heads, pageTokens, headDim]; int8 with scales beside them. */
export interface LayerPages {
  keys: Tensor;
  values: Tensor;
}

/** A sequence that has taken pages. Its pages are known without it, so that they come back where nobody holds it any more. */
interface Holder {
  readonly pages: readonly number[];
  readonly sequence: WeakRef<KvSequence>;
}

/**
 * Keys and values of all sequences of a model, in pages that forks share. Address space is reserved for all pages at the
 * start; memory is taken only by pages that were written once. A sequence takes whole pages, so that many short ones fill the cache
 * with fewer positions than `pageCount * pageTokens`.
 */
export class KvCache {
  readonly layers: readonly LayerPages[];
  readonly pageTokens = pageTokens;
  readonly pageCount: number;
  readonly dtype: KvDType;
  private readonly shape: KvShape;
  private readonly device: Device;
  private readonly users: Int32Array;
  private readonly freePages: number[];
  private readonly holders = new Set<Holder>();

  /** @param capacity positions of all sequences together */
  constructor(device: Device, shape: KvShape, capacity: number) {
    this.device = device;
    this.shape = shape;
    this.dtype = shape.dtype ?? "float32";
    this.pageCount = Math.ceil(capacity / pageTokens);
    this.users = new Int32Array(this.pageCount);
    // Taken from the end, so that low pages are used first and reused most.
    this.freePages = Array.from({ length: this.pageCount }, (_, page) => this.pageCount - 1 - page);
    const pages = () => this.reserve([this.pageCount, shape.heads, pageTokens, shape.headDim]);
    this.layers = Array.from({ length: shape.layers }, () => ({ keys: pages(), values: pages() }));
  }

  /** Bytes that one position takes over all layers. */
  get bytesPerToken(): number {
    return kvBytesPerToken({ ...this.shape, dtype: this.dtype });
  }

  /** How Node prints it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    const used = this.pageCount - this.freePageCount;
    return `KvCache, ${used} of ${this.pageCount} pages in use, ${pageTokens} positions each, ${this.bytesPerToken} bytes a position in ${this.dtype}`;
  }

  /** An empty sequence. */
  createSequence(): KvSequence {
    return new KvSequence(this);
  }

  /**
   * The sequences that hold pages, in the order in which they took their first: those of `model.prefill` and forks that were not
   * released, and what a server, an evaluation or a `PrefixCache` keeps. `for (const one of model.kv.sequences) one.release()` empties the
   * cache of a model that nothing runs on.
   */
  get sequences(): KvSequence[] {
    return [...this.holders].map(({ sequence }) => sequence.deref()).filter((one) => one !== undefined);
  }

  /** Pages that nobody uses. */
  get freePageCount(): number {
    this.takeBackCollected();
    return this.freePages.length;
  }

  /** Gives the pages back of sequences that were garbage-collected without having been released. */
  private takeBackCollected(): void {
    for (const holder of this.holders) {
      if (holder.sequence.deref() !== undefined) continue;
      for (const page of holder.pages) this.releasePage(page);
      this.holders.delete(holder);
    }
  }

  /**
   * For sequences: notes that one takes its first page.
   * @param pages its own array, which it goes on changing
   * @returns what is called when it has given all pages back
   */
  hold(sequence: KvSequence, pages: readonly number[]): () => void {
    const holder = { pages, sequence: new WeakRef(sequence) };
    this.holders.add(holder);
    return () => this.holders.delete(holder);
  }

  /** For models that are disposed of: releases all sequences and the memory. */
  dispose(): void {
    for (const sequence of this.sequences) sequence.release();
    for (const { keys, values } of this.layers) {
      keys.release();
      values.release();
    }
  }

  /** For sequences: a page of one's own. Throws `KV_CACHE_FULL`. */
  takePage(): number {
    if (this.freePages.length === 0) this.takeBackCollected();
    const page = this.freePages.pop();
    if (page === undefined) throw this.full("");
    this.users[page] = 1;
    return page;
  }

  /**
   * For who begins something: throws `KV_CACHE_FULL` now where so many pages are not free.
   * @param what for the message: what needs them
   */
  expectRoom(pages: number, what: string): void {
    const free = this.freePageCount;
    if (pages > free)
      throw this.full(`${what} needs ${pages} pages of ${pageTokens} positions, ${free} are free: `);
  }

  private full(needed: string): PersimmonError {
    const { sequences } = this;
    const positions = sequences.reduce((sum, { length }) => sum + length, 0);
    const used = this.pageCount - this.freePages.length;
    return new PersimmonError(
      "KV_CACHE_FULL",
      `${needed}${used} of the ${this.pageCount} pages of the KV cache are in use, by ${sequences.length} sequences of ${positions} positions together (each takes whole pages of ${pageTokens}): release sequences that are done with (model.kv.sequences lists them), give fewer or shorter prompts at once, or load the model with a larger maxLength (the cache has room for four contexts, on a GPU for what fits into half of its free memory)`,
    );
  }

  /** For sequences: one user more for a page. */
  sharePage(page: number): void {
    this.users[page]++;
  }

  /** For sequences: one user less for a page. */
  releasePage(page: number): void {
    if (--this.users[page] === 0) this.freePages.push(page);
  }

  /** For sequences: a copy of a page in all layers. */
  copyPage(page: number): number {
    const copy = this.takePage();
    this.copyContent(page, copy);
    return copy;
  }

  /** Puts what one page holds, in all layers, into another. */
  copyContent(page: number, copy: number): void {
    const rows = this.shape.heads * pageTokens;
    const copyIn = (buffer: NativeBuffer, bytes: number) =>
      native().copyBytes(this.device.stream, buffer, copy * bytes, buffer, page * bytes, bytes);
    for (const { keys, values } of this.layers) {
      for (const { memory, scales } of [keys, values]) {
        copyIn(memory, rows * this.shape.headDim * bytesPerElement[this.dtype]);
        if (scales !== undefined) copyIn(scales, rows * scaleBytes[this.dtype]);
      }
    }
  }

  isShared(page: number): boolean {
    return this.users[page] > 1;
  }

  private reserve(shape: number[]): Tensor {
    const { stream } = this.device;
    const buffer = stream.reserve(elementCount(shape) * bytesPerElement[this.dtype], nativeDType[this.dtype]);
    const rows = elementCount(shape.slice(0, 3));
    const scales = scaleBytes[this.dtype] * rows;
    const beside = scales > 0 ? stream.reserve(scales, nativeDType.float32) : undefined;
    return new Tensor(this.device, buffer, shape, this.dtype, false, beside).keep();
  }
}

/** The keys and values of one text. */
export class KvSequence {
  /** Page numbers in the order of positions; behind the last position there may be pages that were reserved. */
  readonly pages: number[] = [];
  private positions = 0;
  private released = false;
  private changed = 0;
  private readonly cache: KvCache;
  private leaveHolders: (() => void) | undefined;

  constructor(cache: KvCache) {
    this.cache = cache;
  }

  /** Positions that hold keys and values. */
  get length(): number {
    return this.positions;
  }

  /** For the runtime: another number whenever the sequence has been extended, truncated or released. */
  get version(): number {
    return this.changed;
  }

  /** Whether this sequence lives in `cache`. */
  isOf(cache: KvCache): boolean {
    return this.cache === cache;
  }

  /** For the runtime: makes room for `tokens` more positions, which the next forward pass fills. Throws `KV_CACHE_FULL`. */
  extend(tokens: number): void {
    this.reserve(tokens);
    this.positions += tokens;
    this.changed++;
  }

  /**
   * For the runtime: takes the pages of `tokens` more positions, which a pass may write before it is known whether they become
   * part of the sequence. Throws `KV_CACHE_FULL`, with no page taken.
   */
  reserve(tokens: number): void {
    this.assertAlive();
    const last = this.usedPages - 1;
    if (this.positions % pageTokens !== 0 && this.cache.isShared(this.pages[last])) {
      const copy = this.cache.copyPage(this.pages[last]);
      this.cache.releasePage(this.pages[last]);
      this.pages[last] = copy;
    }
    const more = Math.ceil((this.positions + tokens) / pageTokens) - this.pages.length;
    try {
      this.cache.expectRoom(more, `a text of ${this.positions} tokens that goes on by ${tokens}`);
      for (let page = 0; page < more; page++) this.take(this.cache.takePage());
    } catch (error) {
      this.trim();
      throw error;
    }
  }

  /** For the runtime: gives back pages that were reserved and hold no position. */
  trim(): void {
    for (const page of this.pages.splice(this.usedPages)) this.cache.releasePage(page);
    if (this.pages.length > 0) return;
    this.leaveHolders?.();
    this.leaveHolders = undefined;
  }

  private take(page: number): void {
    this.leaveHolders ??= this.cache.hold(this, this.pages);
    this.pages.push(page);
  }

  /** A second sequence with the same content. Both go on by themselves; full pages are shared, not copied. */
  fork(): KvSequence {
    this.assertAlive();
    const fork = new KvSequence(this.cache);
    for (const page of this.pages.slice(0, this.usedPages)) {
      this.cache.sharePage(page);
      fork.take(page);
    }
    fork.positions = this.positions;
    return fork;
  }

  /** Forgets all positions from `length` on. Throws `INDEX_OUT_OF_RANGE`. */
  truncate(length: number): void {
    this.assertAlive();
    if (!Number.isInteger(length) || length < 0 || length > this.positions) {
      throw new PersimmonError(
        "INDEX_OUT_OF_RANGE",
        `a sequence of ${this.positions} positions cannot be truncated to ${length}`,
      );
    }
    if (length === this.positions) return;
    this.positions = length;
    this.changed++;
    this.trim();
  }

  /** Gives the pages back; releasing twice is harmless. One that nobody holds any more is released by garbage collection, some time. */
  release(): void {
    if (this.released) return;
    this.truncate(0);
    this.trim();
    this.changed++;
    this.released = true;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** Pages that hold a position. */
  private get usedPages(): number {
    return Math.ceil(this.positions / pageTokens);
  }

  private assertAlive(): void {
    if (this.released) {
      throw new PersimmonError("SEQUENCE_RELEASED", "this KV sequence was released and cannot be used again");
    }
  }
}

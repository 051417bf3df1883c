import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KvCache, type KvSequence, kvCapacity } from "../../src/runtime/kv_cache.js";
import { Device } from "../../src/tensor/device.js";
import { codeOf } from "../support/codes.js";
import { collectGarbage } from "../support/collect_garbage.js";

const device = Device.cpu(2);
const shape = { layers: 1, heads: 1, headDim: 2 };

/** Writes a number into the keys of positions `from` … of a sequence, as a forward pass would. */
function fill(cache: KvCache, sequence: KvSequence, from: number, numbers: readonly number[]): void {
  for (const [i, number] of numbers.entries()) {
    const page = sequence.pages[Math.floor((from + i) / cache.pageTokens)];
    const slot = page * cache.pageTokens + ((from + i) % cache.pageTokens);
    const bytes = new Uint8Array(Float32Array.of(number, number).buffer);
    device.stream.write(cache.layers[0].keys.buffer, slot * 8, bytes);
  }
}

function content(cache: KvCache, sequence: KvSequence): number[] {
  const all = cache.layers[0].keys.dataSync();
  return Array.from({ length: sequence.length }, (_, position) => {
    const page = sequence.pages[Math.floor(position / cache.pageTokens)];
    return all[2 * (page * cache.pageTokens + (position % cache.pageTokens))];
  });
}

describe("KvCache", () => {
  it("any course of extend, reserve, fork, truncate and release keeps every sequence's content and loses no page", () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant("extend" as const),
        at: fc.nat(5),
        size: fc.integer({ min: 1, max: 70 }),
      }),
      fc.record({ kind: fc.constant("fork" as const), at: fc.nat(5), size: fc.constant(0) }),
      fc.record({ kind: fc.constant("truncate" as const), at: fc.nat(5), size: fc.nat(100) }),
      fc.record({ kind: fc.constant("release" as const), at: fc.nat(5), size: fc.constant(0) }),
      fc.record({
        kind: fc.constant("reserve" as const),
        at: fc.nat(5),
        size: fc.integer({ min: 1, max: 40 }),
      }),
      fc.record({ kind: fc.constant("trim" as const), at: fc.nat(5), size: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        const cache = new KvCache(device, shape, 640);
        const model: { sequence: KvSequence; numbers: number[] }[] = [];
        let next = 1;
        for (const { kind, at, size } of actions) {
          if (model.length === 0) model.push({ sequence: cache.createSequence(), numbers: [] });
          const index = at % model.length;
          const entry = model[index];
          const { length } = entry.numbers;
          if (kind === "extend") {
            const numbers = Array.from({ length: size }, () => next++);
            try {
              entry.sequence.extend(size);
            } catch (error) {
              expect((error as { code: string }).code).toBe("KV_CACHE_FULL");
              continue;
            }
            fill(cache, entry.sequence, length, numbers);
            entry.numbers.push(...numbers);
          } else if (kind === "reserve") {
            try {
              entry.sequence.reserve(size);
            } catch (error) {
              expect((error as { code: string }).code).toBe("KV_CACHE_FULL");
              continue;
            }
            // What a pass that was launched ahead writes is nobody's content.
            fill(cache, entry.sequence, length, new Array<number>(size).fill(-1));
          } else if (kind === "trim") {
            entry.sequence.trim();
            expect(entry.sequence.pages).toHaveLength(Math.ceil(length / cache.pageTokens));
          } else if (kind === "fork") {
            model.push({ sequence: entry.sequence.fork(), numbers: [...entry.numbers] });
          } else if (kind === "truncate") {
            const to = Math.min(size, length);
            entry.sequence.truncate(to);
            entry.numbers.length = to;
          } else {
            entry.sequence.release();
            model.splice(index, 1);
          }
          for (const { sequence, numbers } of model) {
            expect(sequence.length).toBe(numbers.length);
            expect(content(cache, sequence)).toEqual(numbers);
          }
        }
        for (const { sequence } of model) sequence.release();
        // All pages are free again: as many can be taken as there are.
        const last = cache.createSequence();
        last.extend(640);
        expect(codeOf(() => last.extend(1))).toBe("KV_CACHE_FULL");
        expect(last.length).toBe(640);
      }),
      { numRuns: 60 },
    );
  });

  it("a fork copies nothing until one of the two goes on inside a page", () => {
    const cache = new KvCache(device, shape, 320);
    const a = cache.createSequence();
    a.extend(40);
    const b = a.fork();
    expect(b.pages).toEqual(a.pages);
    b.extend(1);
    expect(b.pages[0]).toBe(a.pages[0]);
    expect(b.pages[1]).not.toBe(a.pages[1]);
    const alone = a.pages[1];
    a.extend(1);
    expect(a.pages[1]).toBe(alone);
  });

  it("a fork has no part in pages that were reserved", () => {
    const cache = new KvCache(device, shape, 320);
    const a = cache.createSequence();
    a.extend(32);
    a.reserve(1);
    expect(a.pages).toHaveLength(2);
    expect(a.length).toBe(32);
    const b = a.fork();
    expect(b.pages).toEqual([a.pages[0]]);
    a.extend(1);
    b.extend(1);
    expect(b.pages[1]).not.toBe(a.pages[1]);
  });

  it("refuses lengths that make no sense and sequences that were released", () => {
    const cache = new KvCache(device, shape, 320);
    const sequence = cache.createSequence();
    sequence.extend(5);
    for (const length of [6, -1, 1.5, Number.NaN]) {
      expect(codeOf(() => sequence.truncate(length))).toBe("INDEX_OUT_OF_RANGE");
    }
    sequence.release();
    sequence.release();
    expect(codeOf(() => sequence.extend(1))).toBe("SEQUENCE_RELEASED");
    expect(codeOf(() => sequence.fork())).toBe("SEQUENCE_RELEASED");
    expect(codeOf(() => sequence.truncate(0))).toBe("SEQUENCE_RELEASED");
  });

  it("lists the sequences that hold pages, until they are released or empty", () => {
    const cache = new KvCache(device, shape, 320);
    const a = cache.createSequence();
    cache.createSequence(); // holds nothing
    expect(cache.sequences).toEqual([]);
    a.extend(40);
    const b = a.fork();
    expect(cache.sequences).toEqual([a, b]);
    a.truncate(0);
    expect(cache.sequences).toEqual([b]);
    a.extend(1);
    expect(cache.sequences).toEqual([b, a]);
    for (const sequence of cache.sequences) sequence.release();
    expect(cache.sequences).toEqual([]);
    expect(cache.freePageCount).toBe(10);
  });

  it("takes back the pages of sequences that were garbage-collected, but not those that a fork shares", async () => {
    const cache = new KvCache(device, shape, 320);
    const kept = (() => {
      const lost = cache.createSequence();
      lost.extend(250); // 8 pages
      const fork = lost.fork();
      fork.truncate(64);
      return fork;
    })();
    expect(cache.freePageCount).toBe(2);
    await collectGarbage();
    const other = cache.createSequence();
    other.extend(256);
    expect(cache.freePageCount).toBe(0);
    expect(new Set([...kept.pages, ...other.pages]).size).toBe(10);
    expect(cache.sequences).toEqual([kept, other]);
  });

  it("says how many pages are taken, and by how many positions", () => {
    const cache = new KvCache(device, shape, 96);
    const [a, b, c] = [1, 2, 3].map(() => cache.createSequence());
    a.extend(1);
    b.extend(1);
    expect(() => c.extend(40)).toThrow(
      "a text of 0 tokens that goes on by 40 needs 2 pages of 32 positions, 1 are free: 2 of the 3 pages of the KV cache are in use, by 2 sequences of 2 positions together (each takes whole pages of 32): release sequences that are done with (model.kv.sequences lists them)",
    );
    expect(() => cache.expectRoom(2, "prompt 0 of 40 tokens")).toThrow(
      "prompt 0 of 40 tokens needs 2 pages of 32 positions, 1 are free: 2 of the 3 pages",
    );
    expect(cache.expectRoom(1, "prompt 0 of 4 tokens")).toBeUndefined();
    expect(cache.sequences).toEqual([a, b]);
  });
});

describe("kvCapacity", () => {
  const gpus = (...free: number[]) => free.map((freeBytes) => ({ gpu: { freeBytes } }));

  it("is what is wanted where address space is free", () => {
    expect(kvCapacity([{ gpu: undefined }, { gpu: undefined }], 1000, 8192)).toBe(8192);
  });

  it("is what half of the free memory holds on the GPU with the least, and a page at least", () => {
    expect(kvCapacity(gpus(90e6, 16e6, 50e6), 1000, 8192)).toBe(8000);
    expect(kvCapacity(gpus(90e6, 17e6), 1000, 8192)).toBe(8192);
    expect(kvCapacity(gpus(100, 17e6), 1000, 8192)).toBe(32);
    expect(kvCapacity(gpus(100), 1000, 20)).toBe(20);
  });
});

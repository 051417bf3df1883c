import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Handout, type Piece, WorkQueue } from "../../../src/evals/remote/work_queue.js";

const never = new AbortController().signal;

function pieces(count: number): Piece[] {
  return Array.from({ length: count }, (_, n) => ({
    key: `0:${n}`,
    item: { id: `${n}` },
    shot: undefined,
    sample: 0,
  }));
}

const keysOf = ({ pieces }: Handout) => pieces.map(({ key }) => key);

describe("WorkQueue", () => {
  it("hands out smaller parts towards the end", async () => {
    const queue = new WorkQueue(pieces(40), { batchSize: 8, workers: () => 2 });
    const sizes: number[] = [];
    while (!queue.isFinished) {
      const handout = (await queue.next(never)) as Handout;
      sizes.push(handout.pieces.length);
      for (const key of keysOf(handout)) expect(queue.finish(key)).toBe(true);
      queue.release(handout);
    }
    expect(sizes).toEqual([8, 8, 6, 5, 4, 3, 2, 1, 1, 1, 1]);
    expect(await queue.next(never)).toBeUndefined();
    await queue.finished;
  });

  it("hands out again what a lost worker has not finished, first", async () => {
    const queue = new WorkQueue(pieces(20), { batchSize: 4, workers: () => 1 });
    const first = (await queue.next(never)) as Handout;
    queue.finish("0:0");
    queue.release(first);
    expect(keysOf((await queue.next(never)) as Handout)).toEqual(["0:1", "0:2", "0:3", "0:4"]);
  });

  it("makes who is idle wait until something comes back, or everything is finished", async () => {
    const queue = new WorkQueue(pieces(2), { batchSize: 4, workers: () => 1 });
    const [a, b] = [(await queue.next(never)) as Handout, (await queue.next(never)) as Handout];
    const waiting = queue.next(never);
    const other = queue.next(never);
    queue.release(b);
    const again = (await Promise.race([waiting, other])) as Handout;
    expect(keysOf(again)).toEqual(keysOf(b));
    for (const key of [...keysOf(a), ...keysOf(again)]) queue.finish(key);
    expect(await Promise.all([waiting, other])).toContain(undefined);
  });

  it("an aborted signal ends the waiting", async () => {
    const stop = new AbortController();
    const queue = new WorkQueue(pieces(1), { batchSize: 4, workers: () => 1 });
    await queue.next(never);
    const waiting = queue.next(stop.signal);
    stop.abort();
    expect(await waiting).toBeUndefined();
  });

  it("gives an idle worker what another has had for three times as long as usual, once", async () => {
    let now = 0;
    const options = { batchSize: 1, workers: () => 1, patience: 20, now: () => now };
    const queue = new WorkQueue(pieces(3), options);
    const usual = (await queue.next(never)) as Handout;
    now = 10;
    queue.finish(usual.pieces[0].key);
    queue.release(usual);
    const slow = (await queue.next(never)) as Handout;
    const quick = (await queue.next(never)) as Handout;
    queue.finish(quick.pieces[0].key);
    now = 12;
    queue.release(quick);
    // Usual is now 6 ms a piece, three times that 18; the least is 20.
    now = 29;
    const waiting = queue.next(never);
    now = 30;
    const taken = (await waiting) as Handout;
    expect(keysOf(taken)).toEqual(keysOf(slow));
    expect(queue.finish(taken.pieces[0].key)).toBe(true);
    expect(queue.finish(slow.pieces[0].key)).toBe(false);
    expect(queue.isFinished).toBe(true);
  });

  it("has every piece finished whatever workers are lost, and hands out no piece twice but after a loss", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.nat({ max: 4 }), { maxLength: 30 }),
        async (count, batchSize, workers, losses) => {
          const queue = new WorkQueue(pieces(count), { batchSize, workers: () => workers });
          const finished = new Set<string>();
          const held = new Set<string>();
          const worker = async () => {
            for (let handout = await queue.next(never); handout; handout = await queue.next(never)) {
              const keys = keysOf(handout);
              expect(keys.length).toBeLessThanOrEqual(batchSize);
              for (const key of keys) {
                expect(held.has(key) || finished.has(key)).toBe(false);
                held.add(key);
              }
              await Promise.resolve();
              // A lost worker has finished only so many.
              const loss = losses.pop() ?? Number.POSITIVE_INFINITY;
              for (const [index, key] of keys.entries()) {
                held.delete(key);
                if (index >= loss) continue;
                expect(queue.finish(key)).toBe(true);
                finished.add(key);
              }
              queue.release(handout);
            }
          };
          await Promise.all(Array.from({ length: workers }, worker));
          expect(finished.size).toBe(count);
        },
      ),
    );
  });
});

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inShard, limited, parseShard, shardOf } from "../../../src/evals/run/shard.js";
import { codeOf } from "../../support/codes.js";

const ids = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1 }), { maxLength: 60 });
const items = ids.map((list) => list.map((id) => ({ id })));

describe("shards", () => {
  it("part the items: each is in exactly one, whatever the order and the others", () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 9 }), (all, count) => {
        const shards = Array.from({ length: count }, (_, index) => inShard(all, { index, count }));
        expect(
          shards
            .flat()
            .map(({ id }) => id)
            .sort(),
        ).toEqual(all.map(({ id }) => id).sort());
        const reversed = inShard([...all].reverse(), { index: 0, count });
        expect(new Set(reversed)).toEqual(new Set(shards[0]));
        for (const [index, shard] of shards.entries()) {
          for (const { id } of shard) expect(shardOf(id, count)).toBe(index);
        }
      }),
    );
  });

  it("are SHA-256(id) mod n", () => {
    // Python: int(hashlib.sha256("HumanEval/0".encode()).hexdigest(), 16) % n
    const hash = createHash("sha256").update("HumanEval/0").digest("hex");
    for (const n of [2, 3, 7, 1000])
      expect(shardOf("HumanEval/0", n)).toBe(Number(BigInt(`0x${hash}`) % BigInt(n)));
    expect(["a", "é", "demo/arc/7"].map((id) => shardOf(id, 1000))).toEqual([499, 588, 336]);
  });

  it.each(["", "1", "1/1", "2/2", "-1/2", "0/0", "a/b", "0/2/3", "1.5/2", " 0/2"])("%j is none", (text) => {
    expect(codeOf(() => parseShard(text))).toBe("EVAL_OPTIONS_INVALID");
  });

  it("0/1 is everything", () => expect(parseShard("0/1")).toEqual({ index: 0, count: 1 }));
});

describe("a limit", () => {
  it("takes items that do not depend on the order, in the order of the data; a larger one keeps them", () => {
    fc.assert(
      fc.property(items, fc.nat({ max: 40 }), fc.nat({ max: 40 }), (all, a, b) => {
        const some = limited(all, a);
        expect(some).toHaveLength(Math.min(a, all.length));
        expect(some).toEqual(all.filter((item) => some.includes(item)));
        expect(new Set(limited([...all].reverse(), a))).toEqual(new Set(some));
        expect(limited(all, a + b)).toEqual(expect.arrayContaining(some));
      }),
    );
  });
});

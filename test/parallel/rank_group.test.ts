import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { RankGroup } from "../../src/parallel/rank_group.js";

describe("RankGroup.of", () => {
  it("is one group, with one lock, for options that lead to the same devices", () => {
    const group = RankGroup.of(2, { threads: 2 });
    expect(RankGroup.of(2, { threads: 3 })).toBe(group);
    expect(RankGroup.of(2, { threads: 1, matmulPrecision: "highest", onGpus: false })).toBe(group);
    expect(RankGroup.of(1)).toBe(RankGroup.of(1, { threads: availableParallelism() }));
    for (const rank of RankGroup.of(2, { threads: 3 }).here) expect(rank.device.threads).toBe(1);
  });

  it("is another one for other devices", () => {
    const group = RankGroup.of(2, { threads: 2 });
    for (const [ranks, options] of [
      [4, { threads: 2 }],
      [2, { threads: 4 }],
      [2, { threads: 2, matmulPrecision: "medium" }],
    ] as const) {
      const other = RankGroup.of(ranks, options);
      expect(other).not.toBe(group);
      for (const [at, rank] of other.here.entries()) expect(rank.device).not.toBe(group.here[at]?.device);
    }
  });

  it.each([0, 1.5, 1025, Number.NaN])("refuses %s threads", (threads) => {
    expect(() => RankGroup.of(2, { threads })).toThrow(expect.objectContaining({ code: "THREADS_INVALID" }));
  });
});

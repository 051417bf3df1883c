import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readItems } from "../../src/evals/data/index.js";
import { chooseShot } from "../../src/evals/shot.js";
import type { EvalItem } from "../../src/evals/task.js";
import { findTask, type WinograndeItem, winogrande } from "../../src/evals/tasks/index.js";
import { codeOf } from "../support/codes.js";

interface Item extends EvalItem {
  question: string;
}

const task = { name: "invented", sameQuestion: (item: Item) => item.question };
const hashOf = (lines: string[]) => createHash("sha256").update(lines.join("\n")).digest("hex");

describe("chooseShot", () => {
  // The examples that scripts/demo-model/accuracy/shots.py (Python, written for another purpose) picks with seed 0: the
  // SHA-256 of their ids, one a line, in the order of the file.
  it.each([
    ["arc-easy", "58a445264c65b3e45e007fc0cab9782b3c628cfee1965fe6bef043f451266057"],
    ["mmlu", "02ecc209ddeebbb1bc0854807bb92c4cb62149737cd978ba62b4aa8ba32e9c93"],
    ["triviaqa", "09256fda7eac82d17d6c734958622be1cac58fa76c99f2805bff1f0dc6a0f4a0"],
    ["hellaswag", "aea2480aaf93ddfdb04deb371a5e33c7fbd85b79f0f2519f43560ad6de078f16"],
    ["humaneval", "95c5e943182a32f02443cbc0679dfee973a0f5d8117b55008a79dd440b1e66ce"],
    ["winogrande", "51553d4daa05d16e1b1b6b3ec2acc117114afc74190a68a7fe22f002be4d0e08"],
  ])("picks what the Python implementation picks: %s", async (name, expected) => {
    const builtIn = findTask(name);
    const { items } = await readItems(builtIn, "demo");
    expect(hashOf(items.map((item) => chooseShot(builtIn, item, items, 0).id))).toBe(expected);
  });

  it("hashes seed, task, id and attempt as its documentation says", () => {
    const pool = ["b", "a", "ü", "c"].map((id) => ({ id, question: `about ${id}` }));
    // Remainders of python3's int.from_bytes(hashlib.sha256("84\x1finvented\x1fx\x1f0".encode()).digest(), "big") % 4 and of the
    // others, of the sorted a, b, c, ü: x 0; y 3; a 0, 0, 2; ü 1.
    const picked = (id: string) => chooseShot(task, { id, question: `about ${id}` }, pool, 84).id;
    expect(["x", "y", "a", "ü"].map(picked)).toEqual(["a", "ü", "c", "b"]);
  });

  const pools = fc
    .uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 40 })
    .chain((ids) =>
      fc.record({
        items: fc.constant(ids.map((id, index): Item => ({ id, question: `question ${index}` }))),
        order: fc.shuffledSubarray([...ids.keys()], { minLength: ids.length }),
        kept: fc.subarray([...ids.keys()]),
        seed: fc.nat(),
      }),
    );

  it("does not depend on the order of the pool, a limit or a shard", () => {
    fc.assert(
      fc.property(pools, ({ items, order, kept, seed }) => {
        const shuffled = order.map((index) => items[index]);
        const all = new Map(items.map((item) => [item.id, chooseShot(task, item, items, seed).id]));
        for (const index of kept) {
          const item = items[index];
          expect(chooseShot(task, item, shuffled, seed).id).toBe(all.get(item.id));
          expect(all.get(item.id)).not.toBe(item.id);
        }
      }),
    );
  });

  it("depends on the seed and the task", async () => {
    const builtIn = findTask("arc-easy");
    const { items } = await readItems(builtIn, "demo");
    const picked = (seed: number, name = "arc-easy") =>
      items.map((item) => chooseShot({ ...builtIn, name }, item, items, seed).id);
    const same = (a: string[], b: string[]) => a.filter((id, index) => id === b[index]).length;
    expect(same(picked(0), picked(1))).toBeLessThan(15);
    expect(same(picked(0), picked(0, "arc-challenge"))).toBeLessThan(15);
    expect(picked(1)).toEqual(picked(1));
  });

  it("never shows a duplicate of the question", () => {
    const pool = [
      ...Array.from({ length: 30 }, (_, n) => ({ id: `copy ${n}`, question: "What is water?" })),
      { id: "other", question: "What is ice?" },
    ];
    for (const item of pool.slice(0, 30)) expect(chooseShot(task, item, pool).id).toBe("other");
  });

  it("never shows the twin of a Winogrande sentence", () => {
    const twin = (id: string, sentence: string, swapped: boolean): WinograndeItem => ({
      id,
      sentence,
      option1: swapped ? "Tim" : "Ann",
      option2: swapped ? "Ann" : "Tim",
      answer: "1",
    });
    const pool: WinograndeItem[] = [
      twin("q-1", "Ann thanked Tim because _ was helped.", false),
      twin("q-2", "Ann thanked Tim because _ had helped.", true),
      {
        id: "r-1",
        sentence: "The cup fell off the shelf as the _ was wet.",
        option1: "cup",
        option2: "shelf",
        answer: "2",
      },
    ];
    for (let seed = 0; seed < 20; seed++) {
      expect(chooseShot(winogrande, pool[0], pool, seed).id).toBe("r-1");
      expect(chooseShot(winogrande, pool[1], pool, seed).id).toBe("r-1");
    }
  });

  it("keeps to the subject", async () => {
    const builtIn = findTask("mmlu");
    const { items } = await readItems(builtIn, "demo");
    for (const item of items) expect(chooseShot(builtIn, item, items, 3).subject).toBe(item.subject);
  });

  it("says when nothing can be shown, and refuses a seed that is none", () => {
    const pool = [{ id: "a", question: "What?" }];
    expect(() => chooseShot(task, pool[0], pool)).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: invented: no item can be the example for "a": all 1 of the pool are the same question. Give a larger split for the examples, or ask without one (shots: 0)]`,
    );
    const other = { id: "b", question: "Why?", subject: "physics" };
    expect(() => chooseShot(task, other, pool)).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: invented: no item of the subject "physics" can be the example for "b": there is none. Give a larger split for the examples, or ask without one (shots: 0)]`,
    );
    for (const seed of [-1, 0.5, Number.NaN, "0" as unknown as number]) {
      expect(codeOf(() => chooseShot(task, other, pool, seed))).toBe("SHOT_SEED_INVALID");
    }
  });
});

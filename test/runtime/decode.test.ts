import { beforeEach, describe, expect, it } from "vitest";
import { choiceInPlan } from "../../src/generation/choice.js";
import { checkOptions } from "../../src/generation/options.js";
import { SeededRandom } from "../../src/generation/random.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { edits } from "../../src/research/edits.js";
import type { KvSequence } from "../../src/runtime/kv_cache.js";
import * as ops from "../../src/tensor/ops/index.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const prompt = [1, 270, 300, 271, 280];
const settings = checkOptions({ temperature: 1, seed: 1, logprobs: true });
const choice = choiceInPlan(settings);

describe("Runtime.decode", () => {
  let model: LanguageModel;
  let sequence: KvSequence;
  let random: SeededRandom;
  beforeEach(async () => {
    model = await loadModel(await tinyCheckpoint());
    sequence = await model.prefill(prompt);
    random = new SeededRandom(5);
  });

  /** As a generation does: the number is taken when the token is there. */
  async function next(id: number, goesOn = true, of = sequence, step = 1) {
    const { ids, logprobs } = await model.runtime.decode([{ sequence: of, id, random }], choice, {
      step,
      goesOn,
    });
    random.next();
    return { id: ids[0], logprob: logprobs?.[0] };
  }

  /** The same by a pass that chooses outside of it, on a copy of the sequence. */
  async function wanted(id: number) {
    using fork = sequence.fork();
    using logits = await model.runtime.forward([{ sequence: fork, ids: [id], logits: "last" }], { step: 1 });
    using drawn = ops.sample(logits, settings, Float64Array.from(random.ahead(1)));
    using logprob = ops.gatherLogProbability(logits, drawn);
    return { id: (await drawn.integers())[0], logprob: (await logprob.data())[0] };
  }

  async function isAsWanted(id: number, goesOn = true): Promise<number> {
    const expected = await wanted(id);
    const found = await next(id, goesOn);
    expect(found).toEqual(expected);
    return found.id;
  }

  it("gives what a pass and a draw give, whether or not it has launched the pass before", async () => {
    let id = 9;
    for (const goesOn of [true, true, false, true, true, false]) id = await isAsWanted(id, goesOn);
    expect(sequence.length).toBe(prompt.length + 6);
  });

  it("takes what it has launched only for the token that was chosen", async () => {
    const chosen = await isAsWanted(9);
    await isAsWanted(chosen === 40 ? 41 : 40);
    await isAsWanted(41);
  });

  it("takes what it has launched only for the number that comes next", async () => {
    const chosen = await isAsWanted(9);
    random.next();
    const other = await isAsWanted(chosen);
    random = new SeededRandom(6);
    random.next();
    random.next();
    random.next();
    await isAsWanted(other);
  });

  it("takes what it has launched only for the same sequence as it was", async () => {
    let id = await isAsWanted(9);
    // Back, and forth again with another token: as long as before.
    sequence.truncate(prompt.length);
    using _ = await model.runtime.forward([{ sequence, ids: [33], logits: "last" }]);
    id = await isAsWanted(id);
    const fork = sequence.fork();
    sequence.release();
    sequence = fork;
    await isAsWanted(id);
  });

  it("takes what it has launched only for edits as strong as they were", async () => {
    using steer = model.edit("layers.0.out", edits.scale(1));
    let id = await isAsWanted(9);
    // What was launched began with the strength before, and there and back again is another time.
    steer.scale = 2;
    id = await isAsWanted(id);
    steer.scale = 3;
    steer.scale = 2;
    id = await isAsWanted(id);
    steer.dispose();
    await isAsWanted(id);
  });

  it("chooses for itself after a call with another choice", async () => {
    const id = await isAsWanted(9);
    using fork = sequence.fork();
    using logits = await model.runtime.forward([{ sequence: fork, ids: [id], logits: "last" }], { step: 1 });
    using best = ops.argmax(logits);
    const greedy = choiceInPlan(checkOptions({}));
    const rows = [{ sequence, id, random }];
    const { ids, logprobs } = await model.runtime.decode(rows, greedy, { step: 1, goesOn: false });
    expect(logprobs).toBeUndefined();
    expect(ids).toEqual(await best.integers());
  });

  it("launches nothing on unread tokens that it cannot know", async () => {
    const first = model.runtime.decode([{ sequence, id: 9, random }], choice, { step: 1, goesOn: true });
    const second = model.runtime.decode([{ sequence, id: 30, random }], choice, { step: 1, goesOn: true });
    using again = await model.prefill(prompt);
    const row = { sequence: again, random };
    const one = await model.runtime.decode([{ ...row, id: 9 }], choice, { step: 1, goesOn: false });
    const two = await model.runtime.decode([{ ...row, id: 30 }], choice, { step: 1, goesOn: false });
    expect([await first, await second]).toEqual([one, two]);
  });

  it("has the rows that are asked for, in whatever order, and without some", async () => {
    const rows = [prompt, [7], [8, 9, 10]].map((ids, row) => ({ ids, random: new SeededRandom(row) }));
    const run = async (orders: number[][]) => {
      const sequences = await Promise.all(rows.map(({ ids }) => model.prefill(ids)));
      const random = rows.map((_, row) => new SeededRandom(row));
      const ids = [9, 9, 30];
      for (const order of orders) {
        const tokens = order.map((row) => ({ sequence: sequences[row], id: ids[row], random: random[row] }));
        const chosen = await model.runtime.decode(tokens, choice, { step: 1, goesOn: orders.length > 1 });
        for (const [at, row] of order.entries()) {
          random[row].next();
          ids[row] = chosen.ids[at];
        }
      }
      for (const sequence of sequences) sequence.release();
      return ids;
    };
    for (const orders of [
      [
        [0, 1, 2],
        [0, 1],
        [0, 1],
      ],
      [
        [1, 0, 2],
        [1, 0, 2],
      ],
      [
        [0, 1, 2],
        [1, 0, 2],
        [1, 0, 2],
        [2, 1, 0],
      ],
      [[0, 1, 2], [1, 2], [1, 2], [2, 1], [2]],
    ]) {
      const together = await run(orders);
      const alone = [0, 1, 2].map((row) => orders.filter((order) => order.includes(row)).map(() => [row]));
      for (const [row, steps] of alone.entries()) expect(together[row]).toBe((await run(steps))[row]);
    }
  });

  it("goes on when its plan has been forgotten in between", async () => {
    let id = await isAsWanted(9);
    id = await isAsWanted(id);
    // More plans than are kept: one for each size of a batch.
    for (let size = 1; size <= 9; size++) {
      const batch = Array.from({ length: size }, () => ({
        sequence: model.kv.createSequence(),
        ids: [7],
        logits: "last" as const,
      }));
      using _ = await model.runtime.forward(batch, { step: 1 });
      for (const each of batch) each.sequence.release();
    }
    for (let i = 0; i < 3; i++) id = await isAsWanted(id);
  });

  it("gives back the pages of what nobody asks for", async () => {
    using kv = await model.prefill(Array.from({ length: 31 }, (_, i) => 30 + i));
    const { pages } = kv;
    // Position 31 is the last of the page, so that the pass after it takes another.
    await next(5, true, kv);
    expect(pages).toHaveLength(2);
    model.runtime.dropAhead();
    expect(pages).toHaveLength(1);
    expect(kv.length).toBe(32);
  });

  it("leaves a sequence as long as it was where a pass fails", async () => {
    const { length } = sequence;
    using hook = model.hook("layers.0.out", () => {
      throw new Error("no");
    });
    await expect(next(9)).rejects.toMatchObject({ code: "HOOK_FAILED" });
    hook.dispose();
    expect(sequence.length).toBe(length);
    await isAsWanted(9);
  });
});

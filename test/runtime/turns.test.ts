import { describe, expect, it } from "vitest";
import { Lock } from "../../src/runtime/lock.js";
import { Turns } from "../../src/runtime/turns.js";
import { codeOf, failureOf } from "../support/codes.js";

const later = () => new Promise<void>((resolve) => setTimeout(resolve, 2));

/** A pass that takes a while and notes when it begins and ends. */
function passOf(turns: Turns, noted: string[]) {
  return async (name: string, signal?: AbortSignal) => {
    const leave = await turns.enterPass(signal);
    noted.push(`${name} begins`);
    await later();
    noted.push(`${name} ends`);
    leave();
  };
}

describe("a lock", () => {
  it("who stops waiting leaves the place to the next, who still waits for who was before", async () => {
    const lock = new Lock();
    const controller = new AbortController();
    const order: string[] = [];
    const leaveFirst = await lock.enter();
    const second = failureOf(lock.enter(controller.signal));
    const third = lock.enter().then((leave) => {
      order.push("third");
      leave();
    });
    controller.abort();
    expect(await second).toMatch(/^INTERRUPTED/);
    await later();
    order.push("first leaves");
    leaveFirst();
    await third;
    expect(order).toEqual(["first leaves", "third"]);
  });

  it("lets in at once where it is free, whatever the signal says", async () => {
    const lock = new Lock();
    (await lock.enter(AbortSignal.abort()))();
    const leave = await lock.enter();
    expect(await failureOf(lock.enter(AbortSignal.abort()))).toMatch(/^INTERRUPTED/);
    leave();
    (await lock.enter())();
  });
});

describe("turns", () => {
  it("passes of others wait, in the order in which they came; passes inside do not", async () => {
    const turns = new Turns();
    const noted: string[] = [];
    const pass = passOf(turns, noted);
    const all = [
      pass("before"),
      turns.alone(async () => {
        await Promise.all([pass("inside 1"), pass("inside 2")]);
        await later();
        await pass("inside 3");
      }),
      pass("between"),
      turns.alone(() => pass("second")),
      pass("last"),
    ];
    await Promise.all(all);
    const order = ["before", "inside 1", "inside 2", "inside 3", "between", "second", "last"];
    expect(noted).toEqual(order.flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  it("turns inside of a turn have their passes to themselves, too", async () => {
    const turns = new Turns();
    const noted: string[] = [];
    const pass = passOf(turns, noted);
    const two = (name: string) =>
      turns.alone(async () => {
        await pass(`${name}1`);
        await later();
        await pass(`${name}2`);
      });
    await Promise.all([turns.alone(() => Promise.all([two("a"), pass("plain"), two("b")])), pass("outside")]);
    const order = ["a1", "a2", "plain", "b1", "b2", "outside"];
    expect(noted.filter((line) => line.endsWith("begins"))).toEqual(order.map((name) => `${name} begins`));
  });

  it("what a turn began and did not await: a pass under way is waited for, later ones are those of everyone", async () => {
    const turns = new Turns();
    const noted: string[] = [];
    const pass = passOf(turns, noted);
    let left: Promise<unknown> = Promise.resolve();
    await turns.alone(async () => {
      left = Promise.all([
        pass("under way"),
        pass("behind it"),
        turns.alone(() => pass("turn")),
        later()
          .then(later)
          .then(() => pass("later")),
      ]);
      while (noted.length === 0) await Promise.resolve();
    });
    expect(noted).toEqual(["under way begins", "under way ends"]);
    const next = turns.alone(async () => {
      await later();
      await pass("next");
    });
    await Promise.all([left, next]);
    const begun = noted.filter((line) => line.endsWith("begins")).map((line) => line.replace(" begins", ""));
    expect(begun.toSorted()).toEqual(["behind it", "later", "next", "turn", "under way"]);
    // No two at once: each that begins ends before another begins.
    expect(noted).toEqual(begun.flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  it("an error ends the turn, and is the caller's", async () => {
    const turns = new Turns();
    const failing = turns.alone(async () => {
      await later();
      throw new Error("broken");
    });
    const next = turns.alone(async () => "next");
    await expect(failing).rejects.toThrow("broken");
    expect(await next).toBe("next");
    turns.expectIdle("nothing");
  });
});

describe("generations and turns wait for one another, in order", () => {
  it("a turn for the generation that runs, and the next generation for the turn", async () => {
    const turns = new Turns();
    const { signal } = new AbortController();
    const order: string[] = [];
    const endFirst = await turns.beginGeneration(signal);
    const turn = turns.alone(async () => {
      // Inside there is no generation yet.
      turns.expectIdle("an edit inside");
      (await turns.beginGeneration(signal))();
      await later();
      order.push("turn");
    });
    // Passes of the generation go on.
    (await turns.enterPass())();
    order.push("first");
    endFirst();
    await Promise.resolve();
    const second = turns.beginGeneration(signal).then((end) => {
      order.push("second");
      end();
    });
    await Promise.all([turn, second]);
    expect(order).toEqual(["first", "turn", "second"]);
  });

  it("while one that is aborted waits, another may not begin until it has ended", async () => {
    const turns = new Turns();
    const controller = new AbortController();
    let endTurn: () => void = () => {};
    const turn = turns.alone(
      () =>
        new Promise<void>((resolve) => {
          endTurn = resolve;
        }),
    );
    const waiting = turns.beginGeneration(controller.signal);
    expect(await failureOf(turns.beginGeneration(controller.signal))).toMatch(/^MODEL_BUSY/);
    controller.abort();
    (await waiting)();
    expect(codeOf(() => turns.expectIdle("an edit"))).toBe("MODEL_BUSY");
    endTurn();
    await turn;
    turns.expectIdle("an edit");
  });

  it("a generation without an end is not waited for", async () => {
    const turns = new Turns();
    const end = await turns.beginGeneration(new AbortController().signal, { untilStopped: true });
    expect(await failureOf(turns.alone(later))).toBe(
      "MODEL_BUSY: a tool that edits the model cannot run while this model is served: stop the server first",
    );
    end();
    await turns.alone(later);
  });

  it("a signal ends the waiting of a turn for a generation", async () => {
    const turns = new Turns();
    const controller = new AbortController();
    const end = await turns.beginGeneration(new AbortController().signal);
    const turn = failureOf(turns.alone(later, controller.signal));
    controller.abort();
    expect(await turn).toMatch(/^INTERRUPTED/);
    end();
    turns.expectIdle("an edit");
    await turns.alone(later);
  });
});

import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { demoModelDirectory, type LoadOptions, loadModel } from "../../src/load_model.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

let tiny: string;
beforeAll(async () => {
  tiny = await tinyCheckpoint();
});

let unhandled: unknown[];
const listener = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  unhandled = [];
  process.on("unhandledRejection", listener);
});
afterEach(() => process.off("unhandledRejection", listener));

/** Calls of `onProgress`, and what became of a loading whose call number `failing` throws. */
async function loadFailingAt(failing: number, options: LoadOptions) {
  const bug = new Error("bug");
  let calls = 0;
  const onProgress = () => {
    if (calls++ === failing) throw bug;
  };
  const outcome = await loadModel(demoModelDirectory(), { ...options, onProgress }).catch((error) => error);
  // Node says it of a promise in a later turn.
  await new Promise((resolve) => setImmediate(resolve));
  return { outcome, isBug: outcome === bug, calls };
}

describe("what onProgress throws", () => {
  it.each<[number, LoadOptions]>([
    [0, {}],
    [0, { dtype: "int8" }],
    [40, { dtype: "int8" }],
    [0, { dtype: "int8", tensorParallel: 2, threads: 2 }],
  ])("in call %i is what loadModel throws, once, with %j", async (failing, options) => {
    const { isBug, calls } = await loadFailingAt(failing, options);
    expect(isBug).toBe(true);
    expect(calls).toBe(failing + 1);
    expect(unhandled).toEqual([]);
  });
});

it("tells of each weight in the end", async () => {
  const seen: number[] = [];
  let total = 0;
  await loadModel(tiny, {
    onProgress: (progress) => {
      total = progress.total;
      seen.push(progress.loaded);
    },
  });
  expect(seen).toHaveLength(2 * 16 + 4);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(total);
});

describe("signal", () => {
  it.each<LoadOptions>([{}, { tensorParallel: 2, threads: 2 }])(
    "ends the loading, with %j",
    async (options) => {
      const stop = new AbortController();
      let calls = 0;
      const onProgress = () => {
        calls++;
        stop.abort();
      };
      const { signal } = stop;
      expect(await failureOf(loadModel(demoModelDirectory(), { ...options, signal, onProgress }))).toBe(
        "INTERRUPTED: interrupted before the end; nothing was changed, call again",
      );
      expect(calls).toBe(1);
    },
  );

  it("aborted before, nothing is loaded", async () => {
    const onMemory = () => expect.unreachable();
    const signal = AbortSignal.abort();
    expect(await failureOf(loadModel(tiny, { signal, onMemory }))).toMatch(/^INTERRUPTED: /);
  });
});

it.each([
  [{ onProgress: 5 }, "OPTION_INVALID: onProgress must be a function, got 5"],
  [{ onMemory: "log" }, 'OPTION_INVALID: onMemory must be a function, got "log"'],
  [{ signal: 5000 }, "OPTION_INVALID: signal must be the signal of an AbortController, got 5000"],
  [{ signal: new AbortController() }, /^OPTION_INVALID: signal must be the signal of an AbortController/],
])("%j is refused", async (options, message) => {
  expect(await failureOf(loadModel(tiny, options as never))).toEqual(
    message instanceof RegExp ? expect.stringMatching(message) : message,
  );
});

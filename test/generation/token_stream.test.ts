import { beforeAll, describe, expect, it } from "vitest";
import { type Generation, type Token, TokenStream } from "../../src/generation/token_stream.js";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});
const prompt = [1, 270, 300];
const long = { maxNewTokens: 400, stopAtEos: false };

describe("a generation that is left early", () => {
  it("breaking out of the loop ends it", async () => {
    const stream = model.generate(prompt, long);
    let seen = 0;
    for await (const _ of stream) if (++seen === 3) break;
    const { finish, ids, text } = await stream.done;
    expect(finish).toBe("interrupted");
    expect(ids.length).toBeGreaterThanOrEqual(3);
    expect(ids.length).toBeLessThan(400);
    expect(text).toBe((await model.generate(prompt, { ...long, maxNewTokens: ids.length }).done).text);
  });

  it("an AbortSignal ends it, before or while it runs", async () => {
    const before = await model.generate(prompt, { ...long, signal: AbortSignal.abort() }).done;
    expect(before).toEqual({ text: "", ids: [], finish: "interrupted" });
    const controller = new AbortController();
    const stream = model.generate(prompt, { ...long, signal: controller.signal });
    const tokens: Token[] = [];
    for await (const token of stream) {
      tokens.push(token);
      if (tokens.length === 5) controller.abort();
    }
    const { finish, ids, text } = await stream.done;
    expect(finish).toBe("interrupted");
    expect(ids.length).toBeLessThan(400);
    expect(tokens.map((token) => token.id)).toEqual(ids);
    expect(tokens.map((token) => token.text).join("")).toBe(text);
  });

  it("the stop button of a notebook ends it", async () => {
    const host = Symbol.for("Jupyter.host");
    const controller = new AbortController();
    const globals = globalThis as unknown as Record<symbol, unknown>;
    globals[host] = { signal: controller.signal };
    try {
      const stream = model.generate(prompt, long);
      for await (const _ of stream) controller.abort();
      expect((await stream.done).finish).toBe("interrupted");
    } finally {
      delete globals[host];
    }
  });

  it("cancel() ends it, and is harmless afterwards", async () => {
    const stream = model.generate(prompt, long);
    stream.cancel();
    expect((await stream.done).finish).toBe("interrupted");
    stream.cancel();
  });

  it("a rejected loop body ends it, and the next generation is as ever", async () => {
    const wanted = await model.generate(prompt, { maxNewTokens: 5 }).done;
    const stream = model.generate(prompt, long);
    const failing = async () => {
      for await (const _ of stream) throw new Error("in the loop");
    };
    await expect(failing()).rejects.toThrow("in the loop");
    expect((await stream.done).finish).toBe("interrupted");
    expect(await model.generate(prompt, { maxNewTokens: 5 }).done).toEqual(wanted);
  });
});

describe("reading a stream", () => {
  it("`done` needs nobody who iterates, and tokens wait for a late reader", async () => {
    const stream = model.generate(prompt, { maxNewTokens: 6, stopAtEos: false });
    const { ids } = await stream.done;
    const late: number[] = [];
    for await (const token of stream) late.push(token.id);
    expect(late).toEqual(ids);
  });

  it("there is one reader: a second one at once, or later, is refused, and the first gets all tokens", async () => {
    const stream = model.generate(prompt, { maxNewTokens: 30, stopAtEos: false });
    const read = async () => {
      const ids: number[] = [];
      for await (const token of stream) ids.push(token.id);
      return ids;
    };
    const first = read();
    await expect(read()).rejects.toMatchObject({ code: "STREAM_ALREADY_READ" });
    expect(await first).toHaveLength(30);
    await expect(read()).rejects.toMatchObject({ code: "STREAM_ALREADY_READ" });
    const { ids, finish } = await stream.done;
    expect(await first).toEqual(ids);
    expect(finish).toBe("length");
  });

  it("an error comes to the loop and to `done`", async () => {
    const stream = model.generate(prompt, { topK: -1 });
    await expect(stream.done).rejects.toMatchObject({ code: "SAMPLING_INVALID" });
    const read = async () => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toMatchObject({ code: "SAMPLING_INVALID" });
  });

  it("tokens that came before an error are handed out first", async () => {
    const stream = new TokenStream(async (emit): Promise<Generation> => {
      emit({ id: 1, text: "a" });
      await Promise.resolve();
      throw new Error("later");
    });
    const seen: number[] = [];
    const read = async () => {
      for await (const token of stream) seen.push(token.id);
    };
    await expect(read()).rejects.toThrow("later");
    expect(seen).toEqual([1]);
  });
});

it("an error to which nobody listens does not end the process", async () => {
  let unhandled = 0;
  const count = () => unhandled++;
  process.on("unhandledRejection", count);
  model.generate([], {});
  model.generate(prompt, { temperature: Number.NaN });
  new TokenStream(() => Promise.reject(new Error("nobody")));
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off("unhandledRejection", count);
  expect(unhandled).toBe(0);
});

it("a second generation at once is refused, and both the first and the next one are right", async () => {
  const options = { maxNewTokens: 20, stopAtEos: false };
  const alone = await model.generate(prompt, options).done;
  const first = model.generate(prompt, options);
  await expect(model.generate([1], options).done).rejects.toThrow(
    /MODEL_BUSY|while a generation of this model runs/,
  );
  expect(await first.done).toEqual(alone);
  expect(await model.generate(prompt, options).done).toEqual(alone);
});

it("a generation may begin while a cancelled one makes its last token", async () => {
  const options = { maxNewTokens: 20, stopAtEos: false };
  const alone = await model.generate(prompt, options).done;
  for await (const _ of model.generate(prompt, options)) break;
  expect(await model.generate(prompt, options).done).toEqual(alone);
});

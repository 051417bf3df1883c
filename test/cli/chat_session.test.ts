import { describe, expect, it } from "vitest";
import { ChatSession } from "../../src/cli/chat_session.js";
import { PersimmonError } from "../../src/errors.js";
import { type Generation, TokenStream } from "../../src/generation/token_stream.js";
import type { GenerateOptions } from "../../src/index.js";

/** A model that answers with the given words, and whose context holds `context` characters. */
function fakeModel(words: string[], context = 10_000) {
  const prompts: string[] = [];
  const seen: GenerateOptions[] = [];
  return {
    prompts,
    seen,
    encodePrompt(prompt: string) {
      if (prompt.length > context) throw new PersimmonError("PROMPT_TOO_LONG", "too long");
      return [...prompt].map((character) => character.charCodeAt(0));
    },
    generate(prompt: string, options: GenerateOptions = {}) {
      prompts.push(prompt);
      seen.push(options);
      return new TokenStream(async (emit): Promise<Generation> => {
        let text = "";
        for (const [id, word] of words.entries()) {
          await new Promise((resolve) => setImmediate(resolve));
          if (options.signal?.aborted) return { text, ids: [], finish: "interrupted" };
          text += word;
          emit({ id, text: word });
        }
        return { text, ids: [], finish: "stop" };
      });
    },
  };
}

type Model = ConstructorParameters<typeof ChatSession>[0];

describe("ChatSession", () => {
  it("puts earlier turns before the question, and stops where the model asks the next one", async () => {
    const model = fakeModel([" A", " cat", "."]);
    const session = new ChatSession(model as unknown as Model, { maxNewTokens: 5, stop: ["!"] });
    let shown = "";
    const write = (text: string) => {
      shown += text;
    };
    await session.answer("Who?", write);
    await session.answer("Why?", write);
    expect(shown).toBe("A cat.\nA cat.\n");
    expect(model.prompts).toEqual([
      "human: Who?\n\nadept:",
      "human: Who?\n\nadept: A cat.\n\nhuman: Why?\n\nadept:",
    ]);
    expect(model.seen[0]).toMatchObject({ maxNewTokens: 5, stop: ["!", "\n\nhuman:"] });
    session.reset();
    await session.answer("New?", write);
    expect(model.prompts[2]).toBe("human: New?\n\nadept:");
  });

  it("an interrupt keeps what was said so far; without an answer there is nothing to interrupt", async () => {
    const model = fakeModel([" one", " two", " three"]);
    const session = new ChatSession(model as unknown as Model, {});
    expect(session.interrupt()).toBe(false);
    let shown = "";
    await session.answer("Count", (text) => {
      shown += text;
      if (text.includes("two")) expect(session.interrupt()).toBe(true);
    });
    expect(shown).toBe("one two (interrupted)\n");
    expect(session.turns).toEqual([{ human: "Count", adept: " one two" }]);
    expect(session.interrupt()).toBe(false);
  });

  it("leaves out the oldest turns when the context is full, and says so", async () => {
    const model = fakeModel([" answer"], 70);
    const session = new ChatSession(model as unknown as Model, {});
    let shown = "";
    for (const question of ["first", "second", "third"]) {
      await session.answer(question, (text) => {
        shown += text;
      });
    }
    expect(model.prompts[2]).toBe("human: second\n\nadept: answer\n\nhuman: third\n\nadept:");
    expect(shown).toBe("answer\nanswer\n(the oldest turns no longer fit into the context)\nanswer\n");
    expect(session.turns.map((turn) => turn.human)).toEqual(["second", "third"]);
  });

  it("an error leaves the conversation as it was", async () => {
    const model = fakeModel([]);
    model.generate = () => new TokenStream(() => Promise.reject(new PersimmonError("SOME_CODE", "broken")));
    const session = new ChatSession(model as unknown as Model, {});
    await expect(session.answer("x", () => {})).rejects.toThrow("broken");
    expect(session.turns).toEqual([]);
    expect(session.interrupt()).toBe(false);
  });
});

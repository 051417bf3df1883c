import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StopTexts } from "../../src/generation/stopping.js";
import { TextWriter } from "../../src/generation/text_writer.js";
import type { Token } from "../../src/generation/token_stream.js";

/** Writes pieces as tokens 0, 1, 2 …; the decoder holds back what `pending` says is unfinished at the end. */
function write(
  pieces: readonly string[],
  stop: readonly string[],
  options: { limit?: number; eosAt?: number; interruptedAfter?: number; rest?: string } = {},
) {
  const tokens: Token[] = [];
  const writer = new TextWriter(
    { push: (id) => pieces[id], end: () => options.rest ?? "" },
    stop,
    options.limit ?? 1e9,
    options.eosAt === undefined ? [] : [options.eosAt],
    (token) => tokens.push({ ...token }),
  );
  for (let id = 0; id < pieces.length && writer.finish === undefined; id++) {
    if (options.interruptedAfter === id) writer.end("interrupted");
    else writer.push(id, -id);
  }
  if (writer.finish === undefined) writer.end("interrupted");
  return { ...writer.result(), tokens, joined: tokens.map((token) => token.text).join("") };
}

// Few letters, so that stop texts and their beginnings are frequent.
const pieces = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 4 }), {
  maxLength: 12,
});
const stop = fc.string({ unit: fc.constantFrom("a", "b", "\n"), minLength: 1, maxLength: 4 });

describe("stop texts", () => {
  it("for any pieces the text ends where the whole text has its first stop text", () => {
    fc.assert(
      fc.property(pieces, stop, (parts, end) => {
        const whole = parts.join("");
        const { text, joined, finish } = write(parts, [end]);
        expect(text).toBe(whole.split(end)[0]);
        expect(joined).toBe(text);
        expect(finish).toBe(whole.includes(end) ? "stop" : "interrupted");
      }),
      { numRuns: 2000 },
    );
  });

  it("of several, the first to be complete counts, however the text is cut", () => {
    fc.assert(
      fc.property(pieces, fc.array(stop, { maxLength: 3 }), (parts, stops) => {
        const byLetter = write(parts.join("").split(""), stops);
        const byPiece = write(parts, stops);
        expect(byPiece.text).toBe(byLetter.text);
        expect(byPiece.finish).toBe(byLetter.finish);
        expect(byPiece.joined).toBe(byPiece.text);
      }),
      { numRuns: 2000 },
    );
  });

  it("no more is held back than may become a stop text, and all of it is handed out in the end", () => {
    const stops = new StopTexts(["\n\nhuman:"]);
    expect(stops.push("Hello")).toEqual({ end: undefined, safe: 5 });
    expect(stops.push("\n\nhum")).toEqual({ end: undefined, safe: 5 });
    expect(stops.push("ble\n")).toEqual({ end: undefined, safe: 13 });
    expect(stops.push("\nhuman: x")).toEqual({ end: 13, safe: 23 });
    expect(write(["a", "b", "\n\n", "hu"], ["\n\nhuman:"]).joined).toBe("ab\n\nhu");
  });

  it("may end in what never became a character", () => {
    const { text, joined, finish } = write(["x", ""], ["\uFFFD"], { limit: 2, rest: "\uFFFD" });
    expect({ text, joined, finish }).toEqual({ text: "x", joined: "x", finish: "stop" });
  });
});

describe("the end", () => {
  it("every id and its log-probability come in order with the tokens", () => {
    fc.assert(
      fc.property(pieces, (parts) => {
        const { tokens, ids } = write(parts, []);
        expect(ids).toEqual(parts.map((_, id) => id));
        expect(tokens.map((token) => [token.id, token.logprob])).toEqual(ids.map((id) => [id, -id]));
      }),
    );
  });

  it("EOS is among the ids, its token carries what was unfinished, and it wins over the limit", () => {
    const { text, ids, joined, finish } = write(["a", "b"], [], { eosAt: 1, limit: 2, rest: "\uFFFD" });
    expect({ text, ids, joined, finish }).toEqual({
      text: "a\uFFFD",
      ids: [0, 1],
      joined: "a\uFFFD",
      finish: "eos",
    });
  });

  it("the limit flushes the decoder into the last token", () => {
    const { text, joined, finish } = write(["a", "b", "c"], [], { limit: 2, rest: "\uFFFD" });
    expect({ text, joined, finish }).toEqual({ text: "ab\uFFFD", joined: "ab\uFFFD", finish: "length" });
  });

  it("an interrupt hands out what was held back, without an unfinished character", () => {
    const { text, joined, finish } = write(["a", "b", "c"], ["bcd"], { interruptedAfter: 2, rest: "\uFFFD" });
    expect({ text, joined, finish }).toEqual({ text: "ab", joined: "ab", finish: "interrupted" });
  });

  it("a limit of 0 is finished before it begins", () => {
    expect(write(["a"], [], { limit: 0 })).toMatchObject({ text: "", ids: [], finish: "length", tokens: [] });
  });
});

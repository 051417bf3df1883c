import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Stop, StopTexts } from "../../src/generation/stopping.js";
import { TextWriter } from "../../src/generation/text_writer.js";
import type { Token } from "../../src/generation/token_stream.js";

/** Writes pieces as tokens 0, 1, 2 …; the decoder holds back what `pending` says is unfinished at the end. */
function write(
  pieces: readonly string[],
  stop: readonly Stop[],
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

it("tokens of a model without a tokenizer wait for nothing", () => {
  const ids: number[] = [];
  const decoder = { push: () => "", end: () => "", hasNoText: true };
  const writer = new TextWriter(decoder, [], 4, [9], ({ id }) => ids.push(id));
  for (const [count, id] of [5, 6, 7, 9].entries()) {
    writer.push(id, undefined);
    expect(ids).toHaveLength(count + 1);
  }
  expect(writer.result()).toEqual({ text: "", ids: [5, 6, 7, 9], finish: "eos" });
});

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

/** Matches that may begin in a line that was handed out before. */
const overLines = /a[\s\S]*b[\s\S]*a|bb/;
/** The rules of the evals, and patterns that take more than they need to, or reach over several lines. */
const patterns = [/(?<=\S[\s\S]*)\n/, /\n(?=\S)/, /a+b/i, /\n\n/, overLines, /^\n?b/, /(?<!a)b/u];

/** Where a text ends by definition: at the match in its shortest beginning that has one. */
function endByDefinition(text: string, stops: readonly Stop[]): string {
  for (let length = 1; length <= text.length; length++) {
    const soFar = text.slice(0, length);
    const starts = stops.map((stop) => (typeof stop === "string" ? soFar.indexOf(stop) : soFar.search(stop)));
    const found = starts.filter((at) => at >= 0);
    if (found.length > 0) return text.slice(0, Math.min(...found));
  }
  return text;
}

describe("stop patterns", () => {
  it.each([
    ["an answer is one line", [" ", "\n", "B", ".\nQue"], /(?<=\S[\s\S]*)\n/, " \nB."],
    [
      "a body ends where the indentation does",
      ["    return 1\n", "\n", "\n", "def"],
      /\n(?=\S)/,
      "    return 1\n\n",
    ],
    ["inside a line", ["five app", "les and"], /\s?[a-z]+ apples/, ""],
    ["never", ["    a\n", "    b\n"], /\n(?=\S)/, "    a\n    b\n"],
  ])("%s", (_, pieces, pattern, wanted) => {
    const { text, joined } = write(pieces, [pattern]);
    expect({ text, joined }).toEqual({ text: wanted, joined: wanted });
  });

  it("for any pieces, patterns and texts, the text ends at the match in its shortest beginning that has one", () => {
    const stops = fc.array(fc.oneof(fc.constantFrom(...patterns), stop), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(pieces, stops, (parts, ends) => {
        const whole = parts.join("");
        const { text, finish } = write(parts, ends);
        expect(text).toBe(endByDefinition(whole, ends));
        if (text !== whole) expect(finish).toBe("stop");
      }),
      { numRuns: 3000 },
    );
  });

  it("what is handed out is the text, for matches that begin no earlier than the break before the last line", () => {
    const stops = fc.subarray(
      patterns.filter((pattern) => pattern !== overLines),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(pieces, stops, (parts, ends) => {
        const { text, joined } = write(parts, ends);
        expect(joined).toBe(text);
      }),
      { numRuns: 3000 },
    );
  });

  it("lines are handed out as soon as the next one is begun, and no half of a pair is looked at", () => {
    const stops = new StopTexts([/\n(?=\S)/]);
    expect(stops.push("    a")).toEqual({ end: undefined, safe: 0 });
    expect(stops.push("\n\n")).toEqual({ end: undefined, safe: 5 });
    expect(stops.push("    b\n")).toEqual({ end: undefined, safe: 12 });
    expect(stops.push("c")).toEqual({ end: 12, safe: 12 });
    expect(write(["a🍣", "b"], [/[\ud800-\udbff]$/]).text).toBe("a🍣b");
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

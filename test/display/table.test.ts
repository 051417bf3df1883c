import { describe, expect, it } from "vitest";
import { display } from "../../src/index.js";

function bundleOf(value: object): Record<string, string> {
  return (value as { [key: symbol]: () => Record<string, string> })[Symbol.for("Jupyter.display")]();
}

function htmlOf(value: object): string {
  return bundleOf(value)["text/html"];
}

function textOf(value: object): string {
  return bundleOf(value)["text/plain"];
}

/** The cells of the body, row by row. */
function cellsOf(html: string): string[] {
  return [...html.matchAll(/<td[^>]*>([^<]*)<\/td>/g)].map(([, text]) => text);
}

describe("a table", () => {
  it("is a danfojs data frame of records", () => {
    const frame = display.table([
      { layer: 0, zeros: 0.75 },
      { layer: 1, note: "x" },
    ]);
    expect(frame.columns).toEqual(["layer", "zeros", "note"]);
    expect(frame.values).toEqual([
      [0, 0.75, null],
      [1, null, "x"],
    ]);
    expect(frame.query(frame.column("layer").gt(0)).shape).toEqual([1, 3]);
  });

  it("takes columns, also as typed arrays", () => {
    const frame = display.table({ token: ["a", "b"], logprob: Float32Array.of(-0.5, -2) });
    expect(frame.values).toEqual([
      ["a", -0.5],
      ["b", -2],
    ]);
  });

  it("escapes what it shows", () => {
    const html = htmlOf(display.table([{ "<i>": '<script>alert("x")</script>' }]));
    expect(html).toContain("&lt;i&gt;");
    expect(html).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
    expect(html).not.toContain("<script>");
  });

  it("says how many rows it leaves out", () => {
    const html = htmlOf(display.table({ n: Int32Array.from({ length: 100 }, (_, n) => n) }));
    expect(html.match(/<tr>/g)).toHaveLength(1 + 60);
    expect(html).toContain("60 of 100 rows");
  });

  // What is expected is written down by hand: every digit before the point, six significant ones in all.
  it.each([
    [12345.678, "12,345.7"],
    [98765.4321, "98,765.4"],
    [99999.5, "99,999.5"],
    [99999.96, "100,000.0"],
    [123456789.123, "123,456,789.1"],
    [7.0000001, "7.0"],
    [0.1 + 0.2, "0.3"],
    [-0.05519399458, "-0.055194"],
    [0.00012345678, "0.000123457"],
    [-8.380155125387e-9, "-8.38016e-9"],
    [1e22, "1e+22"],
    [123456789, "123,456,789"],
    [0, "0"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
  ])("shows %d as %s, in HTML and in text", (value, expected) => {
    const frame = display.table({ value: [value] });
    expect(cellsOf(htmlOf(frame))).toEqual([expected]);
    expect(textOf(frame).split("\n").at(-1)?.trim()).toBe(expected);
  });

  it("is text with every name and number whole, one line for each row", () => {
    const frame = display.table([
      { MLP: "TypeScript, layer 2, zeros skipped", "change of mean log-probability": -8.380155125387e-9 },
      { MLP: "two\nlines 🦊", "change of mean log-probability": 0 },
    ]);
    expect(textOf(frame)).toBe(
      [
        "MLP                                 change of mean log-probability",
        "──────────────────────────────────  ──────────────────────────────",
        "TypeScript, layer 2, zeros skipped                     -8.38016e-9",
        // The fox is two columns wide.
        "two⏎lines 🦊                                                     0",
      ].join("\n"),
    );
  });

  it("says in the text too how much it leaves out, and marks a text that it cuts", () => {
    const text = textOf(display.table({ n: Int32Array.from({ length: 100 }, (_, n) => n) }));
    expect(text.split("\n")).toHaveLength(2 + 60 + 1);
    expect(text).toMatch(/\n60 of 100 rows$/);
    expect(textOf(display.table({ long: ["x".repeat(61)] }))).toContain(`${"x".repeat(60)}…`);
  });

  it.each([
    ["a text", "abc"],
    ["nothing", undefined],
    ["columns of several lengths", { a: [1], b: [1, 2] }],
    ["no columns", {}],
    ["no rows", []],
    ["rows that are no records", [[1, 2]]],
    ["a column that is no list", { a: 3 }],
  ])("refuses %s", (_, content) => {
    expect(() => display.table(content as never)).toThrowError(
      expect.objectContaining({ code: "TABLE_INVALID" }),
    );
  });
});

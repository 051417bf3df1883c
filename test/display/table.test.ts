import { describe, expect, it } from "vitest";
import { display } from "../../src/index.js";

function htmlOf(value: object): string {
  const bundle = (value as { [key: symbol]: () => Record<string, string> })[Symbol.for("Jupyter.display")]();
  return bundle["text/html"];
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

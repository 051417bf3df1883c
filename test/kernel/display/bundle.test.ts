import { describe, expect, it } from "vitest";
import { bundleOf, DISPLAY } from "../../../kernel/display/bundle.js";
import { encodeData } from "../../../kernel/display/encode.js";
import { PLOTLY_MIME_TYPE } from "../../../kernel/display/figure.js";
import { textOf } from "../../../kernel/display/text.js";
import type { Bundle } from "../../../kernel/threads.js";

const data = (value: unknown) => (bundleOf(value) as Bundle).data;

describe("bundleOf", () => {
  it("takes an object's own bundle and adds text", () => {
    const shown = data({
      [DISPLAY]: () => ({ "text/html": "<b>x</b>", "image/png": new Uint8Array([1, 2, 3]) }),
    });
    expect(shown).toMatchObject({ "text/html": "<b>x</b>", "image/png": "AQID" });
    expect(shown["text/plain"]).toBeTypeOf("string");
  });

  it("shows what went wrong when an object's own method fails", async () => {
    const throwing = {
      [DISPLAY]: () => {
        throw new Error("inside");
      },
    };
    expect(data(throwing)["text/plain"]).toContain("inside");
    const rejecting = { [DISPLAY]: () => Promise.reject(new Error("later")) };
    expect((await bundleOf(rejecting)).data["text/plain"]).toContain("later");
    expect(data({ [DISPLAY]: () => 5 })["text/plain"]).toContain("MIME bundle");
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(data({ [DISPLAY]: () => ({ "application/json": circular }) })["text/plain"]).toContain("circular");
  });

  it("takes a bundle from any thenable, and leaves out parts without content", async () => {
    // biome-ignore lint/suspicious/noThenProperty: a promise of another library is such an object
    const thenable = { then: (resolve: (data: object) => void) => resolve({ "text/html": "later" }) };
    expect((await bundleOf({ [DISPLAY]: () => thenable })).data["text/html"]).toBe("later");
    const parts = { "text/html": undefined, "image/png": null, "application/json": null, "text/plain": "x" };
    expect(data({ [DISPLAY]: () => parts })).toEqual({ "application/json": null, "text/plain": "x" });
  });

  it("gives HTML to an object that shows itself as a figure without it, and leaves HTML of its own alone", () => {
    const figure = { data: [{ y: [1] }], layout: {} };
    expect(data({ [DISPLAY]: () => ({ [PLOTLY_MIME_TYPE]: figure }) })["text/html"]).toContain("Plotly");
    const own = { [PLOTLY_MIME_TYPE]: figure, "text/html": "mine" };
    expect(data({ [DISPLAY]: () => own })["text/html"]).toBe("mine");
  });

  it("recognises figures, with typed arrays as arrays and gaps as null", () => {
    const figure = { data: [{ type: "heatmap", z: [new Float32Array([1, Number.NaN])] }], layout: {} };
    expect(data(figure)[PLOTLY_MIME_TYPE]).toEqual({
      data: [{ type: "heatmap", z: [[1, null]] }],
      layout: {},
    });
    expect(data(figure)["text/plain"]).toBe("Figure: 1 trace (heatmap)");
    expect(data({ data: [1, 2], layout: {} })[PLOTLY_MIME_TYPE]).toBeUndefined();
  });

  it("recognises danfojs frames by their shape, and vega by its schema", () => {
    const frame = {
      columns: ["n"],
      index: [0],
      values: [[1]],
      shape: [1, 1],
      dtypes: ["int32"],
      toString: () => "table",
    };
    expect(data(frame)).toMatchObject({ "text/plain": "table" });
    expect(data(frame)["text/html"]).toContain("<th>n</th>");
    const vega = { $schema: "https://vega.github.io/schema/vega-lite/v5.json", mark: "bar" };
    expect(data(vega)["application/vnd.vegalite.v5+json"]).toEqual(vega);
  });

  it("escapes tables and says what it leaves out", () => {
    const records = Array.from({ length: 60 }, (_, i) => ({ "<h>": `<script>${i}` }));
    const html = String(data(records)["text/html"]);
    expect(html).not.toMatch(/<script>|<h>/);
    expect(html).toContain("50 of 60 rows");
    expect(data([1, 2])["text/html"]).toBeUndefined();
  });
});

describe("text and data", () => {
  it("abbreviates what is large and survives what cannot be shown", () => {
    expect(textOf(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, i])))).toContain(
      "300 more keys",
    );
    expect(textOf("x".repeat(100_000)).length).toBeLessThan(11_000);
    const hostile = {
      get [Symbol.toStringTag](): string {
        throw new Error("no");
      },
    };
    expect(() => textOf(hostile)).not.toThrow();
  });

  it("encodes bytes, JSON types and text types", () => {
    expect(
      encodeData({ "application/json": { n: 1n }, "text/plain": 5, "image/gif": new Uint8Array([255]) }),
    ).toEqual({
      "application/json": { n: "1" },
      "text/plain": "5",
      "image/gif": "/w==",
    });
  });
});

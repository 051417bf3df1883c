import { describe, expect, it } from "vitest";
import { serializeNotebook, splitLines } from "../../../scripts/run-notebooks/format.mjs";

describe("splitLines", () => {
  it.each([
    ["", []],
    ["a", ["a"]],
    ["a\n", ["a\n"]],
    ["a\n\nb", ["a\n", "\n", "b"]],
    [
      ["a\nb", "c"],
      ["a\n", "bc"],
    ],
  ])("%j", (text, lines) => expect(splitLines(text)).toEqual(lines));
});

describe("serializeNotebook", () => {
  it("writes text as lines, JSON and base64 as they are, and sorts the keys", () => {
    const text = serializeNotebook({
      nbformat: 4,
      nbformat_minor: 5,
      metadata: {},
      cells: [
        { cell_type: "markdown", source: "# a\nb", metadata: {} },
        {
          cell_type: "code",
          source: ["x"],
          metadata: {},
          execution_count: 1,
          outputs: [
            { output_type: "stream", name: "stdout", text: "1\n2" },
            {
              output_type: "display_data",
              data: {
                "text/html": "<b>\n</b>",
                "image/png": "iVBOR",
                "application/vnd.plotly.v1+json": { layout: {}, data: [1] },
              },
            },
          ],
        },
      ],
    });
    expect(text.endsWith("}\n")).toBe(true);
    expect(text.split("\n")[1]).toBe(' "cells": [');
    const cell = JSON.parse(text).cells[1];
    expect(Object.keys(cell)).toEqual(["cell_type", "execution_count", "metadata", "outputs", "source"]);
    expect(cell.outputs[0].text).toEqual(["1\n", "2"]);
    expect(cell.outputs[1]).toEqual({
      output_type: "display_data",
      metadata: {},
      data: {
        "text/html": ["<b>\n", "</b>"],
        "image/png": "iVBOR",
        "application/vnd.plotly.v1+json": { data: [1], layout: {} },
      },
    });
  });

  it("is stable: serialising what it wrote changes nothing", () => {
    const once = serializeNotebook({
      nbformat: 4,
      nbformat_minor: 5,
      metadata: { b: 1, a: { d: [2, { f: 1, e: 2 }], c: 3 } },
      cells: [{ cell_type: "code", source: "a\nb\n", metadata: {}, outputs: [], execution_count: null }],
    });
    expect(serializeNotebook(JSON.parse(once))).toBe(once);
  });
});

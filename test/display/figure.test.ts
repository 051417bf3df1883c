import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countInBins } from "../../src/display/histogram.js";
import { display, PersimmonError } from "../../src/index.js";

const plotly = "application/vnd.plotly.v1+json";

function bundleOf(value: object): Record<string, unknown> {
  return (value as { [key: symbol]: () => Record<string, unknown> })[Symbol.for("Jupyter.display")]();
}

/** Every number of a figure is finite, and JSON holds it without loss. */
function expectPlainJson(value: unknown): void {
  expect(JSON.parse(JSON.stringify(value))).toEqual(value);
  const walk = (part: unknown): void => {
    if (typeof part === "number") expect(Number.isFinite(part)).toBe(true);
    if (typeof part === "object" && part !== null) for (const inner of Object.values(part)) walk(inner);
  };
  walk(value);
}

function codeOf(f: () => unknown): string | undefined {
  try {
    f();
  } catch (error) {
    if (error instanceof PersimmonError) return error.code;
    throw error;
  }
  return undefined;
}

describe("a figure", () => {
  it("is a bundle for plotly, and text", () => {
    const figure = display.figure([{ type: "scatter", y: Float32Array.of(1, 2) }], {
      title: { text: "Two" },
    });
    const bundle = bundleOf(figure);
    expect(Object.keys(bundle)).toEqual([plotly, "text/plain"]);
    expect(bundle["text/plain"]).toBe('Figure "Two" (scatter)');
    expect((bundle[plotly] as { data: unknown }).data).toEqual([{ type: "scatter", y: [1, 2] }]);
    expectPlainJson(bundle[plotly]);
  });

  it("has a layout that wins over the style", () => {
    const layout = display.figure([], { width: 300 }).layout;
    expect(layout.width).toBe(300);
    expect(layout.height).toBe(400);
  });

  it("holds null where a number is not finite", () => {
    const { data } = display.line([1, Number.NaN, Number.POSITIVE_INFINITY, -2]);
    expect(data[0].y).toEqual([1, null, null, -2]);
  });

  it.each([
    ["no object", () => display.figure(3 as never)],
    ["a list as layout", () => display.figure([], [] as never)],
    ["a function inside", () => display.figure([{ y: () => 1 }])],
    ["an object inside itself", () => display.figure([circular()])],
    ["texts for numbers", () => display.line(["a"] as never)],
    ["other lengths", () => display.line({ x: [1], y: [1, 2] })],
    ["other lengths of bars", () => display.bar({ labels: ["a"], values: [1, 2] })],
    ["no numbers", () => display.histogram([])],
    ["no bins", () => display.histogram([1], { bins: 0 })],
    ["rows of several lengths", () => display.heatmap([[1], [1, 2]])],
    ["a shape that does not fit", () => display.heatmap({ data: [1, 2, 3], shape: [2, 2] })],
    ["an absurd size", () => display.line([1], { width: -5 })],
  ])("refuses %s", (_, f) => expect(codeOf(f)).toBe("FIGURE_INVALID"));

  it("refuses a heat map that would stall the page", () => {
    expect(codeOf(() => display.heatmap({ data: new Float32Array(500_000), shape: [500, 1000] }))).toBe(
      "FIGURE_TOO_LARGE",
    );
  });
});

function circular(): Record<string, unknown> {
  const trace: Record<string, unknown> = {};
  trace.self = trace;
  return trace;
}

describe("charts", () => {
  it("a histogram counts every finite value once", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noDefaultInfinity: true, noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 50 }),
        (values, bins) => {
          const [trace] = display.histogram([...values, Number.NaN], { bins }).data;
          const counts = trace.y as number[];
          expect(counts).toHaveLength(bins);
          expect(counts.reduce((sum, count) => sum + count, 0)).toBe(values.length);
        },
      ),
    );
  });

  it("a histogram of values too close to be told apart counts them too", () => {
    // Found by the property above.
    for (const values of [
      [-5e-324, 0],
      [7, 7],
      [1, 1 + Number.EPSILON],
    ]) {
      const { edges, counts } = countInBins(values, 4);
      expect(Array.from(counts).reduce((sum, count) => sum + count, 0)).toBe(2);
      for (let bin = 0; bin < 4; bin++) expect(edges[bin + 1]).toBeGreaterThan(edges[bin]);
    }
  });

  it("a heat map takes rows from row-major data", () => {
    const [trace] = display.heatmap({ data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] }).data;
    expect(trace.z).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect([trace.zmin, trace.zmax]).toEqual([0, 6]);
  });

  it("a heat map with negative numbers has zero in the middle of its scale", () => {
    const [trace] = display.heatmap([[-1, 3]]).data;
    expect([trace.zmin, trace.zmax]).toEqual([-3, 3]);
  });

  it("bars of equal labels stay apart", () => {
    const { data, layout } = display.bar({ labels: ["the", "the"], values: [1, 2] });
    expect(data[0].x).toEqual([0, 1]);
    expect((layout.xaxis as { ticktext: string[] }).ticktext).toEqual(["the", "the"]);
  });

  it("every kind is plain JSON", () => {
    const numbers = Float32Array.from({ length: 30 }, (_, at) => Math.sin(at) * 10 ** (at % 9));
    for (const figure of [
      display.line([{ name: "a", y: numbers, hover: Array.from(numbers, String) }]),
      display.bar({ labels: [...numbers.keys()], values: numbers }, { horizontal: true }),
      display.histogram(numbers, { log: true, share: true }),
      display.heatmap({ data: numbers, shape: [5, 6] }, { rows: ["a", "b", "c", "d", "e"] }),
    ]) {
      expectPlainJson(bundleOf(figure)[plotly]);
    }
  });
});

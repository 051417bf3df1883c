import { describe, expect, it } from "vitest";
import { display, type Figure } from "../../src/index.js";

interface Placed {
  width: number;
  height: number;
  margin: { t: number; b: number };
  title: { text: string; subtitle: { text: string }; y: number };
}

const layoutOf = (figure: Figure) => figure.layout as unknown as Placed;

// Of notebook 04. In DejaVu Sans, 13 pixels high, it is 617 pixels wide.
const subtitle =
  "part replaced by its mean over the text; 2,321 tokens, loss of the whole model 0.4786 nats a token";

describe("a title", () => {
  it("of a line leaves the figure as large as it was", () => {
    const { height, margin, title } = layoutOf(
      display.line([1, 2], { title: "Loss", subtitle: "a few words" }),
    );
    expect([height, margin.t, title.text, title.subtitle.text]).toEqual([400, 70, "Loss", "a few words"]);
  });

  it("has a subtitle that goes on below where it would leave the figure, which grows, and not the plot", () => {
    const narrow = layoutOf(display.line([1, 2], { title: "Loss", subtitle, width: 560 }));
    const lines = narrow.title.subtitle.text.split("<br>");
    expect(lines).toHaveLength(2);
    expect(lines.join(" ")).toBe(subtitle);
    // 617 pixels for 98 characters: what a line may have of 560 pixels.
    for (const line of lines) expect((line.length * 617) / 98).toBeLessThan(560);
    expect(narrow.height).toBe(400 + 17);
    expect(narrow.height - narrow.margin.t - narrow.margin.b).toBe(400 - 70 - 55);
    const wide = layoutOf(display.line([1, 2], { title: "Loss", subtitle, width: 940 }));
    expect(wide.title.subtitle.text).toBe(subtitle);
  });

  it("is broken itself, and stands as far from the top as one of a line", () => {
    const text = "Zeros after squared ReLU, by layer, in every one of the documents of the held-out text";
    const { height, title, margin } = layoutOf(display.figure([], { title: text, width: 400 }));
    expect(title.text.split("<br>").length).toBeGreaterThan(1);
    expect(title.text.replaceAll("<br>", " ")).toBe(text);
    expect(margin.t).toBeGreaterThan(70);
    expect((1 - title.y) * height).toBeCloseTo(35, 2);
  });

  it("keeps its own breaks and its tags, and takes an entity for one character", () => {
    const text = `first line<br>${"&lt;".repeat(30)} <span style="color: red">red</span>`;
    const { title, height } = layoutOf(
      display.figure([], { title: { text: "Tags", subtitle: { text } }, width: 400 }),
    );
    expect(title.subtitle.text).toBe(text);
    expect(height).toBe(417);
  });

  it("that says where it stands is left alone, so a layout can be used again", () => {
    const once = display.line([1, 2], { title: "Loss", subtitle, width: 560 });
    expect(display.figure(once.data, once.layout).layout).toEqual(once.layout);
  });
});

describe("a logarithmic axis", () => {
  const axisOf = (xaxis: object) => display.line([1, 2], { layout: { xaxis } }).layout.xaxis;

  it("has its numbers written out, unless its ticks are given", () => {
    expect(axisOf({ type: "log" })).toMatchObject({ tickformat: ",~r", nticks: 5 });
    expect(axisOf({ type: "log", tickvals: [1, 2] })).not.toHaveProperty("tickformat");
    expect(axisOf({ type: "linear" })).not.toHaveProperty("tickformat");
  });

  it("has powers of ten in a histogram", () => {
    expect(display.histogram([1, 2], { log: true }).layout.yaxis).not.toHaveProperty("tickformat");
  });
});

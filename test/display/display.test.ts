import { expect, it } from "vitest";
import { Device, display, Tensor } from "../../src/index.js";
import { withHost } from "./host.js";

it("sends values at once and in order", () =>
  withHost(async (sent) => {
    display({ [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "own" }) });
    display("text");
    display.markdown("*m*");
    display({ "text/html": "<i>x</i>" }, { raw: true, id: "a" });
    display({ "text/html": "<i>y</i>" }, { raw: true, id: "a", update: true });
    expect(sent.map(({ bundle }) => bundle)).toEqual([
      { "text/plain": "own" },
      { "text/plain": "text" },
      { "text/markdown": "*m*" },
      { "text/html": "<i>x</i>" },
      { "text/html": "<i>y</i>" },
    ]);
    expect(sent.map(({ update }) => update ?? false)).toEqual([false, false, false, false, true]);
  }));

it("leaves nothing for the end of a cell to show", () =>
  withHost((sent) => {
    expect(display("text")).toBeUndefined();
    expect(sent).toHaveLength(1);
  }));

it("recognises figures and tables that were made elsewhere", () =>
  withHost(async (sent) => {
    display({ data: [{ y: [1, 2] }], layout: {} });
    display([{ a: 1 }, { a: 2 }]);
    expect(Object.keys(sent[0].bundle)).toContain("application/vnd.plotly.v1+json");
    expect(sent[1].bundle["text/html"]).toContain("<td");
  }));

it("shows a tensor by its two ends", () =>
  withHost(async (sent) => {
    const tensor = Tensor.from(
      Device.cpu(1),
      Float32Array.from({ length: 20 }, (_, n) => n / 2),
      [4, 5],
    );
    await display(tensor);
    tensor.release();
    await display(tensor);
    expect(sent.map(({ bundle }) => bundle["text/plain"])).toEqual([
      "Tensor [4, 5] float32: 0, 0.5, 1, 1.5, 2, 2.5, …, 7, 7.5, 8, 8.5, 9, 9.5",
      "Tensor [4, 5] float32, released",
    ]);
  }));

it("refuses a raw value that is no bundle", () => {
  expect(() => display("x", { raw: true })).toThrowError(
    expect.objectContaining({ code: "DISPLAY_INVALID" }),
  );
});

import { describe, expect, it } from "vitest";
import { createDisplay } from "../../../kernel/display/display.js";

/** `display` and what it sends. */
function recording() {
  const sent: unknown[] = [];
  const work: Promise<void>[] = [];
  const display = createDisplay({
    show: ({ data, metadata }, { id, update }) => void sent.push({ data, metadata, id, update }),
    clear: (wait) => void sent.push({ wait }),
    await: (promise) => void work.push(promise),
  });
  return { display, sent, work };
}

describe("display", () => {
  it("sends a value, its id and its metadata", () => {
    const { display, sent } = recording();
    display(5, { id: "a", metadata: { isolated: true } });
    display({ "text/html": "<i>x</i>" }, { raw: true, id: "a", update: true });
    expect(sent).toEqual([
      { data: { "text/plain": "5" }, metadata: { isolated: true }, id: "a", update: undefined },
      { data: { "text/html": "<i>x</i>" }, metadata: {}, id: "a", update: true },
    ]);
  });

  it("waits for what shows itself asynchronously", async () => {
    const { display, sent, work } = recording();
    display({ [Symbol.for("Jupyter.display")]: async () => ({ "text/plain": "late" }) });
    expect(sent).toEqual([]);
    await Promise.all(work);
    expect(sent).toMatchObject([{ data: { "text/plain": "late" } }]);
  });

  it("takes pictures as bytes of any kind, as base64 and as a data URL", () => {
    const { display, sent } = recording();
    const bytes = new Uint8Array([1, 2, 3]);
    for (const picture of [
      bytes,
      bytes.buffer,
      new DataView(bytes.buffer),
      "AQID",
      "data:image/png;base64,AQID",
    ]) {
      display.png(picture);
    }
    expect(sent).toEqual(Array(5).fill(expect.objectContaining({ data: { "image/png": "AQID" } })));
  });

  it.each<[string, (display: ReturnType<typeof createDisplay>) => void, RegExp]>([
    ["a bundle that is none", (display) => display(1, { raw: true }), /MIME bundle.*found 1/],
    ["a list as a bundle", (display) => display([1], { raw: true }), /MIME bundle.*found \[ 1 \]/],
    [
      "a key that is no MIME type",
      (display) => display({ html: "x" }, { raw: true }),
      /"html" is no MIME type/,
    ],
    ["an update without an id", (display) => display(1, { update: true }), /needs the id/],
    ["an id that is no text", (display) => display(1, { id: 5 as never }), /string as id, found 5/],
    ["options that are none", (display) => display(1, "x" as never), /expects options.*found 'x'/],
    [
      "metadata that is none",
      (display) => display(1, { metadata: [] as never }),
      /expects an object, found \[\]/,
    ],
    ["a picture that is a path", (display) => display.png("plot.png"), /readFile/],
    ["a picture that is an object", (display) => display.jpeg({}), /display\.jpeg\(bytes\).*found \{\}/],
    ["no text", (display) => display.html(undefined), /display\.html\(text\) expects text, found undefined/],
  ])("refuses %s, and sends nothing", (_, use, message) => {
    const { display, sent } = recording();
    expect(() => use(display)).toThrow(message);
    expect(sent).toEqual([]);
  });

  it("clears at once, or with the next output", () => {
    const { display, sent } = recording();
    display.clear();
    display.clear({ wait: true });
    expect(sent).toEqual([{ wait: false }, { wait: true }]);
  });
});

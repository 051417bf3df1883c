import { describe, expect, it } from "vitest";
import { applyCarriageReturns, CellOutputs, DisplayIds } from "../../../scripts/run-notebooks/outputs.mjs";

const message = (msg_type: string, content: object) => ({ header: { msg_type }, content });
const stream = (name: string, text: string) => message("stream", { name, text });
const display = (type: string, text: string, display_id?: string) =>
  message(type, {
    data: { "text/plain": text },
    metadata: {},
    transient: display_id === undefined ? {} : { display_id },
  });

function collect(...messages: ReturnType<typeof message>[]) {
  const cell = new CellOutputs(new DisplayIds());
  for (const one of messages) {
    cell.add(one);
  }
  return cell.outputs;
}

const shown = (text: string) => ({
  output_type: "display_data",
  data: { "text/plain": text },
  metadata: {},
});

describe("streams", () => {
  it("neighbouring parts of one stream are merged, the other stream parts them", () => {
    expect(
      collect(stream("stdout", "a"), stream("stdout", "b\n"), stream("stderr", "c"), stream("stdout", "d")),
    ).toEqual([
      { output_type: "stream", name: "stdout", text: "ab\n" },
      { output_type: "stream", name: "stderr", text: "c" },
      { output_type: "stream", name: "stdout", text: "d" },
    ]);
  });

  it("a progress line that redraws itself is kept as it looks at the end, also across parts", () => {
    expect(
      collect(stream("stdout", "x\n10 %"), stream("stdout", "\r20 %"), stream("stdout", "\r100 %\n")),
    ).toEqual([{ output_type: "stream", name: "stdout", text: "x\n100 %\n" }]);
  });

  it.each([
    ["abc\rX", "Xbc"],
    ["a\r\nb", "a\nb"],
    ["a\rbc\nd\re", "bc\ne"],
  ])("%j looks like %j", (text, look) => expect(applyCarriageReturns(text)).toBe(look));
});

describe("results and errors", () => {
  it("an execute_result keeps its count and loses the transient part", () => {
    const result = message("execute_result", {
      execution_count: 3,
      data: { "text/plain": "1" },
      metadata: {},
    });
    expect(collect(result)).toEqual([
      { output_type: "execute_result", execution_count: 3, data: { "text/plain": "1" }, metadata: {} },
    ]);
  });

  it("an error is an output", () => {
    const content = { ename: "Error", evalue: "e", traceback: ["a", "b"] };
    expect(collect(message("error", content))).toEqual([{ output_type: "error", ...content }]);
  });

  it("status and execute_input are none", () => {
    expect(collect(message("status", { execution_state: "idle" }), message("execute_input", {}))).toEqual([]);
  });
});

describe("display ids", () => {
  it("an update reaches a display of an earlier cell, and shows nothing in its own", () => {
    const ids = new DisplayIds();
    const first = new CellOutputs(ids);
    const second = new CellOutputs(ids);
    first.add(display("display_data", "old", "bar"));
    first.add(display("display_data", "other", "else"));
    second.add(display("update_display_data", "new", "bar"));
    expect(first.outputs).toEqual([shown("new"), shown("other")]);
    expect(second.outputs).toEqual([]);
  });

  it("showing an id again changes what was shown under it too", () => {
    expect(collect(display("display_data", "1", "bar"), display("display_data", "2", "bar"))).toEqual([
      shown("2"),
      shown("2"),
    ]);
  });

  it("an update without a display, and displays without an id, change nothing", () => {
    expect(collect(display("display_data", "1"), display("update_display_data", "2"))).toEqual([shown("1")]);
  });
});

describe("clear_output", () => {
  const clear = (wait: boolean) => message("clear_output", { wait });

  it("clears at once", () => {
    expect(collect(stream("stdout", "a"), clear(false))).toEqual([]);
  });

  it("with wait clears when the next output comes, and only once", () => {
    expect(collect(stream("stdout", "a"), clear(true))).toHaveLength(1);
    expect(collect(stream("stdout", "a"), clear(true), stream("stdout", "b"), stream("stdout", "c"))).toEqual(
      [{ output_type: "stream", name: "stdout", text: "bc" }],
    );
  });
});

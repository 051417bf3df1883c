import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Wire } from "../../kernel/protocol/wire.js";
import { dataOf, TestKernel, textOf, typesOf } from "./support/kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await TestKernel.start();
});
afterAll(() => kernel?.stop());

describe("requests", () => {
  it("answers kernel_info with what JupyterLab needs to highlight TypeScript", async () => {
    const info = await kernel.request("shell", "kernel_info_request", {});
    expect(info).toMatchObject({ status: "ok", protocol_version: "5.4", implementation: "persimmon" });
    expect(info.language_info).toMatchObject({
      name: "typescript",
      mimetype: "application/typescript",
      file_extension: ".ts",
      codemirror_mode: "typescript",
    });
    expect(await kernel.request("control", "kernel_info_request", {})).toEqual(info);
  });

  it("publishes busy, input, streams, result and idle in this order, with the request as parent", async () => {
    const { id, reply, published } = await kernel.execute(
      "console.log('a'); console.error('b'); console.log('c'); 6 * 7",
    );
    expect(reply).toMatchObject({ status: "ok", user_expressions: {} });
    expect(published[0]!.content).toEqual({ execution_state: "busy" });
    expect(published.at(-1)!.content).toEqual({ execution_state: "idle" });
    expect(typesOf(published)).toEqual(["execute_input", "stream", "stream", "stream", "execute_result"]);
    expect(published.slice(2, 5).map((m) => m.content)).toEqual([
      { name: "stdout", text: "a\n" },
      { name: "stderr", text: "b\n" },
      { name: "stdout", text: "c\n" },
    ]);
    expect(dataOf(published, "execute_result")).toEqual({ "text/plain": "42" });
    expect(published.every((m) => m.parentHeader.msg_id === id)).toBe(true);
  });

  it("counts executions, but not silent ones nor those outside of the history", async () => {
    const first = (await kernel.execute("1")).reply.execution_count;
    const silent = await kernel.execute("console.log('seen'); 2", { silent: true });
    expect(silent.reply.execution_count).toBe(first);
    expect(typesOf(silent.published)).toEqual(["stream"]);
    expect((await kernel.execute("3", { store_history: false })).reply.execution_count).toBe(first);
    expect((await kernel.execute("4")).reply.execution_count).toBe(first + 1);
  });

  it("evaluates user_expressions, each with its own status", async () => {
    const { reply } = await kernel.execute("const base = 20", {
      user_expressions: {
        good: "base + 1",
        bad: "nothingOfThatName",
        thrown: "(() => { throw new RangeError('far') })()",
      },
    });
    expect(reply.user_expressions.good).toMatchObject({ status: "ok", data: { "text/plain": "21" } });
    expect(reply.user_expressions.bad).toMatchObject({ status: "error", ename: "TypeScriptError" });
    expect(reply.user_expressions.thrown).toMatchObject({
      status: "error",
      ename: "RangeError",
      evalue: "far",
    });
  });

  it("aborts what is queued after an error, unless stop_on_error is false", async () => {
    const failing = await kernel.submit("await input(); throw new Error('first')", { allow_stdin: true });
    const queued = await kernel.submit("1");
    // Its reply says that what was sent before it over the same socket is in the queue.
    await kernel.request("shell", "kernel_info_request", {});
    await kernel.wait((m) => m.channel === "stdin" && m.parentHeader.msg_id === failing);
    await kernel.send("stdin", "input_reply", { value: "go on" });
    expect((await kernel.finished(failing)).reply).toMatchObject({ status: "error", evalue: "first" });
    expect((await kernel.finished(queued)).reply.status).toBe("aborted");
    const lenient = kernel.submit("throw new Error('second')", { stop_on_error: false });
    const next = kernel.submit("2");
    expect((await kernel.finished(await lenient)).reply.status).toBe("error");
    expect((await kernel.finished(await next)).reply.status).toBe("ok");
  });

  it("completes and inspects at offsets in code points, also while a cell runs", async () => {
    await kernel.execute("/** Doubles. */ function doubled(x: number) { return 2 * x; }");
    const id = await kernel.submit("await new Promise((done) => setTimeout(done, 1500))");
    const completion = await kernel.request("shell", "complete_request", {
      code: "'🍣'; doub",
      cursor_pos: 9,
    });
    expect(completion).toMatchObject({ status: "ok", matches: ["doubled"], cursor_start: 5, cursor_end: 9 });
    expect(completion.metadata._jupyter_types_experimental[0]).toMatchObject({
      text: "doubled",
      type: "function",
    });
    const inspected = await kernel.request("shell", "inspect_request", {
      code: "doubled(",
      cursor_pos: 8,
      detail_level: 0,
    });
    expect(inspected.data["text/plain"]).toContain("doubled(x: number): number");
    expect(inspected.data["text/plain"]).toContain("Doubles.");
    const cell = kernel.received.find((m) => m.channel === "shell" && m.parentHeader.msg_id === id);
    expect(cell, "the cell was still running").toBeUndefined();
    await kernel.finished(id);
  });

  it("knows the members of the kernel's globals", async () => {
    const { matches } = await kernel.request("shell", "complete_request", {
      code: "display.",
      cursor_pos: 8,
    });
    expect(matches).toEqual(
      expect.arrayContaining(["html", "markdown", "latex", "svg", "text", "png", "raw", "clear"]),
    );
  });

  it("tells complete, incomplete and invalid input apart", async () => {
    const status = async (code: string) =>
      (await kernel.request("shell", "is_complete_request", { code })).status;
    expect(await status("const a = 1")).toBe("complete");
    expect(await status("function f() {")).toBe("incomplete");
    expect(await status("const = 3")).toBe("invalid");
  });

  it("answers history requests: tail, range and search", async () => {
    await kernel.execute("'needle in the history'");
    const ask = (content: object) =>
      kernel.request("shell", "history_request", { output: false, raw: true, ...content });
    expect((await ask({ hist_access_type: "tail", n: 1 })).history[0][2]).toBe("'needle in the history'");
    const found = await ask({ hist_access_type: "search", pattern: "*needle*", n: 10 });
    expect(found.history).toHaveLength(1);
    const range = await ask({ hist_access_type: "range", session: 0, start: 1, stop: 2 });
    expect(range.history[0][1]).toBe(1);
  });

  it("refuses an unknown request with an error and stays alive", async () => {
    expect(await kernel.request("shell", "strange_request", {})).toMatchObject({ status: "error" });
    expect(await kernel.evaluate("1 + 1")).toBe("2");
  });

  it("echoes heartbeats while a cell computes", async () => {
    const id = await kernel.submit("const until = Date.now() + 700; while (Date.now() < until) {}");
    await kernel.heartbeat.send("ping");
    const [echo] = await kernel.heartbeat.receive();
    expect(echo!.toString()).toBe("ping");
    await kernel.finished(id);
  });

  it("ignores a message whose signature is wrong", async () => {
    const forger = new Wire("another key");
    const forged = forger.create("execute_request", { code: "globalThis.forged = true" });
    await kernel.shell.send(forger.encode(forged));
    expect(await kernel.evaluate("String((globalThis as any).forged)")).toBe("'undefined'");
    expect(kernel.received.some((m) => m.parentHeader.msg_id === forged.header.msg_id)).toBe(false);
  });
});

describe("output", () => {
  it("delivers 10,000 lines whole, before idle, in few messages", async () => {
    const { published } = await kernel.execute("for (let i = 0; i < 10_000; i++) console.log('line ' + i)");
    const expected = Array.from({ length: 10_000 }, (_, i) => `line ${i}\n`).join("");
    expect(textOf(published)).toBe(expected);
    expect(published.length).toBeLessThan(100);
  });

  it("gives output that comes late the parent of the cell that started it", async () => {
    const late = await kernel.execute("setTimeout(() => console.log('late'), 300); void 0");
    const other = await kernel.execute(
      "await new Promise((done) => setTimeout(done, 600)); console.log('other')",
    );
    expect(textOf(other.published)).toBe("other\n");
    const message = await kernel.wait((m) => m.channel === "iopub" && m.content.text === "late\n");
    expect(message.parentHeader.msg_id).toBe(late.id);
  });

  it.skipIf(process.platform === "win32")("shows what child processes print", async () => {
    const { published } = await kernel.execute(
      "import { execSync } from 'node:child_process'; execSync('echo out; echo err >&2', { stdio: 'inherit' });",
    );
    expect(textOf(published)).toBe("out\n");
    expect(textOf(published, "stderr")).toBe("err\n");
  });

  it("displays, updates and clears", async () => {
    const { published } = await kernel.execute(`
      display({ "text/plain": "one" }, { raw: true, id: "x" });
      display({ "text/plain": "two" }, { raw: true, id: "x", update: true });
      display.html("<b>bold</b>");
      display.png(new Uint8Array([1, 2, 3]));
      display.clear({ wait: true });
    `);
    expect(typesOf(published).slice(1)).toEqual([
      "display_data",
      "update_display_data",
      "display_data",
      "display_data",
      "clear_output",
    ]);
    expect(published[2]!.content).toMatchObject({
      data: { "text/plain": "one" },
      transient: { display_id: "x" },
    });
    expect(published[3]!.content).toMatchObject({
      data: { "text/plain": "two" },
      transient: { display_id: "x" },
    });
    expect(published[4]!.content.data).toEqual({ "text/html": "<b>bold</b>" });
    expect(published[5]!.content.data).toEqual({ "image/png": "AQID" });
    expect(published[6]!.content).toEqual({ wait: true });
  });

  it("gives libraries a host object and tslab's notebooks their module", async () => {
    const { published } = await kernel.execute(`
      import * as tslab from "tslab";
      const host = globalThis[Symbol.for("Jupyter.host")];
      host.display({ "text/plain": "from a library" }, { id: "p" });
      tslab.display.markdown("*old*");
      [host.signal.aborted, tslab.versions.tslab]
    `);
    expect(published[2]!.content).toMatchObject({ data: { "text/plain": "from a library" } });
    expect(published[3]!.content).toMatchObject({ data: { "text/markdown": "*old*" } });
    expect(dataOf(published, "execute_result")!["text/plain"]).toBe("[ false, '1.0.22' ]");
  });
});

describe("stdin and comms", () => {
  it("asks with input() and with a synchronous prompt()", async () => {
    const id = await kernel.submit(
      "const one = await input('one? ', { password: true }); const two = prompt('two? '); one + two",
      {
        allow_stdin: true,
      },
    );
    const first = await kernel.wait((m) => m.channel === "stdin" && m.parentHeader.msg_id === id);
    expect(first.content).toEqual({ prompt: "one? ", password: true });
    await kernel.send("stdin", "input_reply", { value: "un" });
    await kernel.wait((m) => m.channel === "stdin" && m.content.prompt === "two? ");
    await kernel.send("stdin", "input_reply", { value: "deux" });
    const { published } = await kernel.finished(id);
    expect(dataOf(published, "execute_result")).toEqual({ "text/plain": "'undeux'" });
  });

  it("fails input() when the client takes none", async () => {
    const { reply } = await kernel.execute("await input('?')");
    expect(reply).toMatchObject({ status: "error" });
    expect(reply.evalue).toContain("allow_stdin");
  });

  it("opens, echoes and closes comms with binary buffers", async () => {
    await kernel.execute(`
      comms.registerTarget("echo", (comm, open) => {
        comm.send({ opened: open.content.data });
        comm.onMsg((msg) => comm.send(msg.content.data, { buffers: msg.buffers }));
      });
    `);
    await kernel.send("shell", "comm_open", { comm_id: "c1", target_name: "echo", data: { x: 1 } });
    const opened = await kernel.wait((m) => m.header.msg_type === "comm_msg");
    expect(opened.content).toEqual({ comm_id: "c1", data: { opened: { x: 1 } } });
    const id = await kernel.send("shell", "comm_msg", { comm_id: "c1", data: { y: 2 } }, [
      Buffer.from([7, 8]),
    ]);
    const echoed = await kernel.wait((m) => m.header.msg_type === "comm_msg" && m.parentHeader.msg_id === id);
    expect(echoed.content.data).toEqual({ y: 2 });
    expect([...echoed.buffers[0]!]).toEqual([7, 8]);
    expect((await kernel.request("shell", "comm_info_request", {})).comms).toEqual({
      c1: { target_name: "echo" },
    });
    await kernel.send("shell", "comm_close", { comm_id: "c1", data: {} });
    expect((await kernel.request("shell", "comm_info_request", {})).comms).toEqual({});
    const { published } = await kernel.execute("comms.open('front.target', { a: 1 }).close({ bye: 1 })");
    expect(typesOf(published).slice(1)).toEqual(["comm_open", "comm_close"]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestKernel, textOf } from "./support/kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await TestKernel.start();
  await kernel.execute(
    "let state = 41; const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));",
  );
});
afterAll(() => kernel?.stop());

/** Runs a cell that prints "running" and then goes on for ever, and interrupts it. */
async function interrupt(code: string) {
  const id = await kernel.submit(`console.log("running");\n${code}`);
  await kernel.wait(
    (m) => m.channel === "iopub" && m.parentHeader.msg_id === id && m.header.msg_type === "stream",
  );
  expect(await kernel.request("control", "interrupt_request", {})).toEqual({ status: "ok" });
  return kernel.finished(id);
}

describe("interrupt", () => {
  it.each([
    ["a loop", "while (true) {}"],
    ["an await", "await new Promise(() => {})"],
    ["a timer's await", "await sleep(100_000)"],
    ["a loop whose catch swallows errors", "while (true) { try { while (true) {} } catch {} }"],
    ["an async loop whose catch swallows errors", "while (true) { try { await sleep(2) } catch {} }"],
    ["a loop after an await", "await sleep(1); for (;;) {}"],
    ["a regular expression, which no check reaches", "/(a+)+b/.test('a'.repeat(60))"],
    ["a regular expression after an await", "await sleep(1); /(a+)+b/.test('a'.repeat(60))"],
    ["a loop in a timer", "setTimeout(() => { for (;;) {} }, 10); await sleep(100_000)"],
    [
      "a loop in a callback of Node",
      "import { readFile } from 'node:fs'; await new Promise(() => readFile('/', () => { for (;;) {} }))",
    ],
    ["a synchronous child process", "import { execSync } from 'node:child_process'; execSync('sleep 100')"],
    ["Atomics.wait", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"],
    [
      "endless recursion of calls",
      "function twice(n: number): number { return n > 60 ? 1 : twice(n + 1) + twice(n + 1); } twice(0)",
    ],
    [
      "a callback that blocks only after the interrupt",
      `const { signal } = globalThis[Symbol.for("Jupyter.host")];
      signal.addEventListener("abort", () => setImmediate(() => /(a+)+b/.test("a".repeat(60))));
      try { await sleep(100_000); } catch { await sleep(100_000); }`,
    ],
  ])("stops %s and keeps the state", async (_, code) => {
    const { reply } = await interrupt(code);
    expect(reply).toMatchObject({ status: "error", ename: "KeyboardInterrupt" });
    expect(await kernel.evaluate("state + 1")).toBe("42");
  });

  it("never stops the cell after the one that was meant, however late the interrupt comes", async () => {
    let meant = 0;
    for (let round = 0; round < 40; round++) {
      // Blocks without a check in it, and ends by itself about when the server would send its signal (60 ms).
      const block = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${40 + round})`;
      const blocking = await kernel.submit(round % 2 ? block : `await 0; ${block}`, { stop_on_error: false });
      const next = await kernel.submit("for (let i = 0; i < 1e6; i++); state", { stop_on_error: false });
      const started = (m: { parentHeader: { msg_id?: string } }) => m.parentHeader.msg_id === blocking;
      await kernel.wait(started);
      const asked = await kernel.send("control", "interrupt_request", {});
      const { reply } = await kernel.finished(blocking);
      const after = (await kernel.finished(next)).reply;
      const sent = async (channel: string, id: string) =>
        (await kernel.wait((m) => m.channel === channel && m.parentHeader.msg_id === id)).header.date;
      // On a busy machine the request can arrive when the cell is over; then it means the next one.
      if ((await sent("control", asked)) >= (await sent("shell", blocking))) continue;
      meant++;
      expect([after.status, after.evalue], `round ${round}, ${reply.status}`).toEqual(["ok", undefined]);
    }
    expect(meant).toBeGreaterThan(20);
  });

  it("ends an async iteration with return(), so that its finally block runs", async () => {
    const { published, reply } = await interrupt(`
      async function* tokens() { try { for (;;) { await sleep(1); yield 1; } } finally { console.log("closed"); } }
      for await (const token of tokens()) {}`);
    expect(reply.ename).toBe("KeyboardInterrupt");
    expect(textOf(published)).toContain("closed");
  });

  it("aborts the host's signal, and the next cell gets a fresh one", async () => {
    const host = "globalThis[Symbol.for('Jupyter.host')]";
    await interrupt(`const signal = ${host}.signal; await sleep(100_000)`);
    expect(await kernel.evaluate(`[signal.aborted, ${host}.signal.aborted]`)).toBe("[ true, false ]");
  });

  it("stops input()", async () => {
    const id = await kernel.submit("await input('waiting')", { allow_stdin: true });
    await kernel.wait((m) => m.channel === "stdin" && m.parentHeader.msg_id === id);
    await kernel.request("control", "interrupt_request", {});
    expect((await kernel.finished(id)).reply.ename).toBe("KeyboardInterrupt");
    const synchronous = await kernel.submit("prompt('waiting')", { allow_stdin: true });
    await kernel.wait((m) => m.channel === "stdin" && m.parentHeader.msg_id === synchronous);
    await kernel.request("control", "interrupt_request", {});
    expect((await kernel.finished(synchronous)).reply.ename).toBe("KeyboardInterrupt");
  });

  it("aborts the cells that wait behind", async () => {
    const running = await kernel.submit("console.log('busy'); while (true) {}");
    const waiting = await kernel.submit("1");
    // Its reply says that what was sent before it over the same socket is in the queue.
    await kernel.request("shell", "kernel_info_request", {});
    await kernel.wait((m) => m.channel === "iopub" && m.content.text === "busy\n");
    await kernel.request("control", "interrupt_request", {});
    expect((await kernel.finished(running)).reply.status).toBe("error");
    expect((await kernel.finished(waiting)).reply.status).toBe("aborted");
  });

  it("does nothing to an idle kernel", async () => {
    await kernel.request("control", "interrupt_request", {});
    expect(await kernel.evaluate("let total = 0; for (let i = 0; i < 5; i++) total += i; total")).toBe("10");
  });
});

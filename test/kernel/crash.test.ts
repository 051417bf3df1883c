import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { TestKernel } from "./support/kernel.js";

let kernel: TestKernel | undefined;
afterEach(() => kernel?.stop());

const onLinux = describe.skipIf(process.platform !== "linux");

/** The language process of a kernel: its child, with the variable that only this process has. */
function languageProcessOf(pid: number): number {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  const found = children.find((child) =>
    readFileSync(`/proc/${child}/environ`, "utf8").includes("PERSIMMON_LANGUAGE_PROCESS="),
  );
  if (found === undefined) throw new Error(`no language process among ${children}`);
  return found;
}

async function hasEnded(pid: number): Promise<boolean> {
  for (let i = 0; i < 200; i++) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await new Promise((done) => setTimeout(done, 25));
  }
  return false;
}

onLinux("a crash of the kernel", () => {
  it.each([
    ["an abort", "process.abort()"],
    ["an invalid memory access", "process.kill(process.pid, 'SIGSEGV'); for (;;) {}"],
    ["kill -9", "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})"],
  ])("is shown in the cell that was running (%s)", async (_, code) => {
    kernel = await TestKernel.start();
    const id = await kernel.submit(`console.log("begun"); ${code}`);
    const error = await kernel.wait((m) => m.header.msg_type === "error");
    expect(error.parentHeader.msg_id).toBe(id);
    expect(error.content.ename).toBe("NativeCrash");
    expect(error.content.evalue).toMatch(/native code.*invalid memory access or aborted/);
    await kernel.wait((m) => m.parentHeader.msg_id === id && m.content.execution_state === "idle");
  });

  it("shows what native code printed last", async () => {
    kernel = await TestKernel.start();
    // Node's own way to print from C++, past all streams.
    await kernel.submit(`(process as any)._rawDebug("assertion failed: x > 0"); process.abort()`);
    await kernel.wait(
      ({ header, content }) =>
        ["error", "stream"].includes(header.msg_type) &&
        JSON.stringify(content).includes("assertion failed: x > 0"),
    );
  });

  it("takes the language process along, and its files, also when no cell runs", async () => {
    kernel = await TestKernel.start();
    await kernel.execute("1");
    const language = languageProcessOf(kernel.process.pid!);
    const { socket } = JSON.parse(
      /PERSIMMON_LANGUAGE_PROCESS=([^\0]*)/.exec(readFileSync(`/proc/${language}/environ`, "utf8"))![1]!,
    );
    kernel.process.kill("SIGKILL");
    expect(await hasEnded(language)).toBe(true);
    expect(() => readFileSync(socket)).toThrow(/ENOENT/);
  });
});

onLinux("a crash of the language process", () => {
  it("fails the cell that waits for it, and later cells know what earlier ones declared", async () => {
    kernel = await TestKernel.start();
    await kernel.execute("interface Point { x: number } const start: Point = { x: 1 };");
    const language = languageProcessOf(kernel.process.pid!);
    process.kill(language, "SIGSTOP");
    const waiting = await kernel.submit("start.x");
    // On a busy machine the kernel may otherwise learn of the death before it reads the cell, which then just runs.
    await kernel.wait((m) => m.channel === "iopub" && m.content.code === "start.x");
    process.kill(language, "SIGKILL");
    const { reply } = await kernel.finished(waiting);
    expect(reply.evalue).toMatch(/process that compiles cells has ended unexpectedly/);
    expect(await kernel.evaluate("const end: Point = { x: start.x + 1 }; end")).toBe("{ x: 2 }");
    expect((await kernel.execute("const wrong: Point = 5")).reply.ename).toBe("TypeScriptError");
  });

  it("is not harmed by a SIGINT to the kernel's process group", async () => {
    kernel = await TestKernel.start();
    await kernel.execute("1");
    process.kill(kernel.process.pid!, "SIGINT");
    expect(await kernel.evaluate("2")).toBe("2");
    expect(languageProcessOf(kernel.process.pid!)).toBeGreaterThan(0);
  });
});

import { describe, expect, it } from "vitest";
import type { CompiledCell, LanguageEngine } from "../../../kernel/language/engine.js";
import type { Message } from "../../../kernel/protocol/message.js";
import { Wire } from "../../../kernel/protocol/wire.js";
import { Execution } from "../../../kernel/server/execution.js";
import { History } from "../../../kernel/server/history.js";
import { Publisher } from "../../../kernel/server/iopub.js";
import type { CellRunner } from "../../../kernel/server/runner.js";

/** The protocol with a stand-in for the language: a cell's code is what its run does. */
function setUp() {
  const wire = new Wire("");
  const published: string[] = [];
  const send = (_: string, { header, content }: Message) => {
    published.push(String(content.execution_state ?? header.msg_type));
  };
  const language = {
    compile: async (code: string) =>
      code === "syntax error"
        ? { ok: false, error: { ename: "TypeScriptError", evalue: "e", traceback: [] } }
        : { ok: true, cell: { code } as CompiledCell },
  } as unknown as LanguageEngine;
  const ran: string[] = [];
  const runner = {
    async run({ cell }) {
      ran.push(cell.code);
      if (cell.code === "throw")
        return { status: "error", error: { ename: "E", evalue: "e", traceback: [] } };
      return { status: "ok", result: { data: { "text/plain": cell.code }, metadata: {} }, expressions: {} };
    },
  } as Partial<CellRunner> as CellRunner;
  const execution = new Execution(language, runner, new Publisher({ send }, wire), new History());
  const push = (code: string, done: (reply: Record<string, unknown>) => void, content: object = {}) =>
    execution.push(wire.create("execute_request", { code, ...content }), (_, reply) => done(reply));
  const execute = (code: string, content: object = {}) =>
    new Promise<Record<string, unknown>>((done) => push(code, done, content));
  return { execute, push, published, ran };
}

describe("Execution", () => {
  it("runs cells in order and replies to each", async () => {
    const { execute, ran } = setUp();
    const codes = Array.from({ length: 200 }, (_, i) => String(i));
    const replies = await Promise.all(codes.map((code) => execute(code)));
    expect(ran).toEqual(codes);
    expect(replies.map((reply) => reply.execution_count)).toEqual(codes.map((_, i) => i + 1));
  });

  it("does not run what does not compile, and aborts what waits behind it", async () => {
    const { execute, ran } = setUp();
    const [failed, waiting] = await Promise.all([execute("syntax error"), execute("1")]);
    expect([failed!.status, waiting!.status]).toEqual(["error", "aborted"]);
    expect((await execute("2")).status).toBe("ok");
    expect(ran).toEqual(["2"]);
  });

  it("runs what is sent once the reply to a failed cell is there, however soon it comes", async () => {
    const { execute, push } = setUp();
    const next = new Promise<Record<string, unknown>>((done) => {
      push("throw", () => push("1", done));
    });
    expect((await next).status).toBe("ok");
    expect((await execute("2")).status).toBe("ok");
  });

  it("publishes busy, input, result and idle; of a silent cell only busy and idle", async () => {
    const { execute, published } = setUp();
    await execute("1");
    await execute("2", { silent: true });
    await execute("3");
    await new Promise((done) => setImmediate(done)); // idle follows the reply
    const loud = ["busy", "execute_input", "execute_result", "idle"];
    expect(published.slice(0, 10)).toEqual([...loud, "busy", "idle", ...loud]);
  });
});

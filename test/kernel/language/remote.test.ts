import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JsonConnection } from "../../../kernel/language/json_connection.js";
import { RemoteLanguage } from "../../../kernel/language/remote.js";

let folder: string;
let language: RemoteLanguage;
let restarts: boolean[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "remote-language-"));
  restarts = [];
  language = new RemoteLanguage(join(folder, "socket"), (withSnapshot) => restarts.push(withSnapshot));
});
afterEach(() => {
  language.close();
  rmSync(folder, { recursive: true, force: true });
});

type Request = { id?: number; method: string; parameters: unknown[] };

/** A stand-in for the process: answers each request with what `answer` gives, if anything. */
async function attach(answer: (request: Request) => unknown): Promise<{ socket: Socket; seen: Request[] }> {
  const socket = connect(join(folder, "socket"));
  await new Promise((done) => socket.once("connect", done));
  const seen: Request[] = [];
  const connection = new JsonConnection(socket, (request: Request) => {
    seen.push(request);
    const value = answer(request);
    if (request.id !== undefined && value !== undefined) connection.send({ id: request.id, value });
  });
  return { socket, seen };
}

describe("RemoteLanguage", () => {
  it("keeps requests until the process has connected", async () => {
    const answer = language.isComplete("1 +");
    const { socket } = await attach(() => ({ status: "incomplete", indent: "é".repeat(70_000) }));
    expect(await answer).toEqual({ status: "incomplete", indent: "é".repeat(70_000) });
    socket.destroy();
  });

  it("starts the process without its snapshot when it ends before it has connected", () => {
    language.exited();
    expect(restarts).toEqual([false]);
  });

  it("fails what was under way when the process dies, and has the next one compile the cells again", async () => {
    const first = await attach(({ method, parameters }) =>
      method === "compile" && parameters[0] === "const a = 1" ? { ok: true, cell: {} } : undefined,
    );
    await language.compile("const a = 1", "Cell 1");
    const lost = language.compile("while (true) {}", "Cell 2");
    setTimeout(() => first.socket.destroy(), 20);
    await expect(lost).rejects.toThrow(/has ended unexpectedly.*run this cell again/);
    // The kernel tells of the same end once more, while the next process is still starting.
    language.exited();
    expect(restarts).toEqual([true]);
    const second = await attach(() => ({ status: "complete" }));
    expect(await language.isComplete("1")).toEqual({ status: "complete" });
    expect(second.seen.find(({ method }) => method === "replay")?.parameters[0]).toEqual([
      { code: "const a = 1", label: "Cell 1" },
    ]);
    second.socket.destroy();
  });

  it("starts nothing any more once it is closed", async () => {
    const { socket } = await attach(() => undefined);
    language.close();
    socket.destroy();
    await new Promise((done) => setTimeout(done, 50));
    language.exited();
    expect(restarts).toEqual([]);
  });
});

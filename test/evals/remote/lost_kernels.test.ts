import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { failureOf } from "../../support/codes.js";
import { linesOf } from "../run/support.js";
import type { Misbehaviour } from "./fake_jupyter.js";
import { fake, items, localRun, run, serverOf, sorted } from "./fake_runs.js";

const local = localRun();

describe("kernels that are lost", () => {
  /** Does something in the place of the second batch of each kernel. */
  const secondBatch = (act: NonNullable<Misbehaviour["cell"]>): Misbehaviour => ({
    cell: (socket, cell) => (cell === 2 ? act(socket, cell) : "run"),
  });

  it.each<[string, Misbehaviour]>([
    ["the connection is cut", secondBatch((socket) => socket.cut())],
    ["the kernel is dead", secondBatch((socket) => socket.publish("status", { execution_state: "dead" }))],
    [
      "the kernel is started again",
      secondBatch((socket) => socket.publish("status", { execution_state: "restarting" })),
    ],
    ["what comes is no message", secondBatch((socket) => socket.raw("{"))],
    ["what comes is a message of nothing", secondBatch((socket) => socket.raw('{"header":7}'))],
    ["the cell fails", secondBatch((socket) => socket.reply({ status: "error", ename: "E", evalue: "x" }))],
    ["nothing is answered", secondBatch((socket) => socket.reply({ status: "ok" }))],
    ["the machine falls silent", secondBatch((socket) => socket.freeze())],
  ])("%s: another takes over", async (name, misbehaviour) => {
    const server = await fake(misbehaviour);
    const folder = join(local.directory, `lost ${name}`);
    await run([server], { folder, limit: items }, { times: { beat: 50, missing: 2 } });
    expect(sorted(folder)).toEqual(local.whole);
    expect(server.requests.filter((line) => line === "POST /api/kernels").length).toBeGreaterThan(1);
    expect(server.kernels.size).toBe(0);
  });

  it("the server loses one: its kernel is not there any more", async () => {
    const server = await fake({
      cell: (_, cell) => (cell === 2 ? server.kernels.clear() : "run"),
    });
    const folder = join(local.directory, "forgotten");
    await run([server], { folder }, { times: { beat: 50 } });
    expect(sorted(folder)).toEqual(local.whole);
  });

  it("one that works for ever is not waited for", async () => {
    const stuck = await fake({ cell: (_, cell) => (cell === 1 ? "never answered" : "run") });
    const good = await fake();
    const folder = join(local.directory, "stuck");
    await run([stuck, good], { folder }, { patience: 100 });
    expect(sorted(folder)).toEqual(local.whole);
    expect([...stuck.kernels, ...good.kernels]).toEqual([]);
  });

  it("none is left: what was finished is kept, and gone on with", async () => {
    const server = await fake({
      ...secondBatch((socket) => socket.cut()),
      rest: (request, response) => {
        const isLater = server.requests.filter((line) => line === "POST /api/kernels").length > 1;
        if (request.method !== "POST" || !isLater) return false;
        response.writeHead(500, { "Content-Type": "application/json" });
        response.end('{"message":"no room"}');
        return true;
      },
    });
    const folder = join(local.directory, "none left");
    expect(await failureOf(run([server], { folder }))).toBe(
      `EVAL_KERNELS_LOST: no kernel is left to go on: ${server.url} answers POST api/kernels with 500 Internal Server Error: no room. Finished items are kept; start the run again with the same folder to go on`,
    );
    const kept = linesOf(folder).length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(items);
    await run([await fake()], { folder });
    expect(sorted(folder)).toEqual(local.whole);
  });
});

describe("an interrupt", () => {
  it("gives what there is, and leaves no kernel", async () => {
    const server = await fake();
    const interrupt = new AbortController();
    const folder = join(local.directory, "interrupted");
    const result = await run([serverOf(server, { kernels: 2 })], {
      folder,
      limit: 394,
      signal: interrupt.signal,
      onProgress: () => interrupt.abort(),
    });
    expect(result.isComplete).toBe(false);
    expect(result.n).toBeGreaterThan(0);
    expect(result.n).toBeLessThan(394);
    expect(server.kernels.size).toBe(0);
  });

  it("before the first kernel is ready is an error, and leaves none either", async () => {
    const interrupt = new AbortController();
    const server = await fake({ cell: () => interrupt.abort() });
    expect(await failureOf(run([server], { signal: interrupt.signal }))).toMatch(/^INTERRUPTED: /);
    expect(server.kernels.size).toBe(0);
  });
});

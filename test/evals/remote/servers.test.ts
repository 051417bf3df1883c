import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, it, vi } from "vitest";
import type { JupyterServer } from "../../../scripts/run-notebooks/server.mjs";
import { runEvalOnServers } from "../../../src/evals/remote/run_on_servers.js";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { loadModel } from "../../../src/load_model.js";
import { failureOf } from "../../support/codes.js";
import { repositoryRoot } from "../../support/shared.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";
import { linesOf } from "../run/support.js";
import { jupyterOrSkip, type StartServer } from "./jupyter_or_skip.js";

const directory = temporaryDirectory();
// Small batches: there is work left when the slower kernel is ready too.
const common = { task: "arc-easy", data: "demo", limit: 120, batchSize: 2 } as const;
const options = { ...common, progress: false, load: { threads: 1 } } as const;
// Kernels are started and load models, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000 });
const sorted = (folder: string) => linesOf(folder).sort();
const of = ({ baseUrl: url, token }: JupyterServer) => ({ url, token });

async function kernelsOf({ baseUrl, token }: JupyterServer): Promise<unknown[]> {
  const response = await fetch(`${baseUrl}api/kernels`, { headers: { Authorization: `token ${token}` } });
  return (await response.json()) as unknown[];
}

let whole: string[];
beforeAll(async () => {
  const folder = join(directory, "whole");
  await runEval({ model: await loadModel(), ...common, progress: false, folder });
  whole = sorted(folder);
});

jupyterOrSkip("an evaluation on Jupyter servers", (start: StartServer) => {
  let server: JupyterServer;
  let other: JupyterServer;
  beforeAll(async () => {
    [server, other] = await Promise.all([start(), start()]);
  });

  it("on two of them has the samples of one here, byte for byte, and leaves no kernel", async () => {
    const folder = join(directory, "two");
    const shares = new Map<string, number>();
    await runEvalOnServers({
      ...options,
      servers: [of(server), of(other)],
      folder,
      onProgress: ({ servers }) => {
        for (const { url, samples } of servers) shares.set(url, samples);
      },
    });
    expect(sorted(folder)).toEqual(whole);
    expect([...shares.values()].reduce((sum, samples) => sum + samples)).toBe(whole.length);
    expect(await kernelsOf(server)).toEqual([]);
    expect(await kernelsOf(other)).toEqual([]);
  });

  it("goes on when one of them is killed half-way", async () => {
    const third = await start();
    const folder = join(directory, "killed");
    let isKilled = false;
    await runEvalOnServers({
      ...options,
      servers: [of(server), of(third)],
      folder,
      onProgress: ({ done, servers }) => {
        // Only when both work, so that something is lost.
        if (isKilled || done < 20 || servers.some(({ samples }) => samples === 0)) return;
        isKilled = true;
        process.kill(third.pid as number, "SIGKILL");
      },
    });
    expect(isKilled).toBe(true);
    expect(sorted(folder)).toEqual(whole);
    expect(await kernelsOf(server)).toEqual([]);
  });

  it("an interrupt in the terminal keeps what is finished, ends with 130 and leaves no kernel", async () => {
    const folder = join(directory, "pressed");
    const child = evalProcess(folder, server);
    const end = once(child, "close");
    let out = "";
    child.stdout?.setEncoding("utf8").on("data", (part) => (out += part));
    const count = () => (existsSync(join(folder, "samples.jsonl")) ? linesOf(folder).length : 0);
    while (count() < 4 && child.exitCode === null) await sleep(20);
    child.kill("SIGINT");
    expect((await end)[0]).toBe(130);
    expect(out).toMatch(/^arc-easy demo, generate: partial \d+\/394: /);
    expect(linesOf(folder).length).toBeLessThan(whole.length);
    expect(await kernelsOf(server)).toEqual([]);
    // A run here goes on with it.
    await runEval({ model: await loadModel(), ...common, progress: false, folder });
    expect(sorted(folder)).toEqual(whole);
  });

  it("works without a token where the server wants none", async () => {
    const open = await start({ options: ["--IdentityProvider.token="] });
    const result = await runEvalOnServers({ ...options, limit: 4, servers: [{ url: open.baseUrl }] });
    expect(result.n).toBe(4);
    const response = await fetch(`${open.baseUrl}api/kernels`);
    expect(await response.json()).toEqual([]);
  });

  it("refuses what a server refuses", async () => {
    const run = (more: object) =>
      failureOf(runEvalOnServers({ ...options, servers: [{ ...of(server), ...more }] }));
    expect(await run({ token: "wrong" })).toMatch(
      /^EVAL_SERVER_REFUSED: http.* refuses GET api\/kernelspecs with 403 Forbidden: is the token/,
    );
    expect(await run({ kernelName: "none" })).toMatch(
      /^EVAL_KERNELSPEC_MISSING: http.* has no kernel "none"; it has .*persimmon/,
    );
    expect(await run({ kernelName: "python3" })).toMatch(
      /^EVAL_KERNELSPEC_MISSING: .* is for python, not for TypeScript/,
    );
    expect(await kernelsOf(server)).toEqual([]);
  });
});

function evalProcess(folder: string, { baseUrl, token }: JupyterServer): ChildProcess {
  const main = join(repositoryRoot, "dist", "src", "cli", "main.js");
  const { task, data, limit, batchSize } = common;
  const flags = ["--data", data, "--limit", `${limit}`, "--batch", `${batchSize}`, "--folder", folder];
  const servers = ["--threads", "1", "--server", `${baseUrl},token=${token}`];
  return spawn(process.execPath, [main, "eval", task, ...flags, ...servers], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

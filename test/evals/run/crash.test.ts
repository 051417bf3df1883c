import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { loadModel } from "../../../src/load_model.js";
import { failureOf } from "../../support/codes.js";
import { repositoryRoot } from "../../support/shared.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";
import { linesOf, sampleBytes } from "./support.js";

const directory = temporaryDirectory();
const items = 60;

/** `persimmon eval` as a process of its own; `before` is run by the shell in front of it. */
function evalProcess(folder: string, before = ""): ChildProcess {
  const main = join(repositoryRoot, "dist", "src", "cli", "main.js");
  const command = `${before} exec "$0" "$@"`;
  const options = ["--data", "demo", "--limit", `${items}`, "--batch", "4", "--folder", folder];
  return spawn("sh", ["-c", command, process.execPath, main, "eval", "arc-easy", ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function outcome(child: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  let [out, err] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (part) => (out += part));
  child.stderr?.setEncoding("utf8").on("data", (part) => (err += part));
  const [code] = await once(child, "close");
  return { code, out, err };
}

function lines(folder: string): number {
  return existsSync(join(folder, "samples.jsonl")) ? linesOf(folder).length : 0;
}

async function afterSamples(folder: string, count: number, child: ChildProcess): Promise<void> {
  while (lines(folder) < count && child.exitCode === null) await sleep(5);
}

let whole: string;
beforeAll(async () => {
  whole = join(directory, "whole");
  const model = await loadModel();
  await runEval({
    model,
    task: "arc-easy",
    data: "demo",
    limit: items,
    batchSize: 4,
    folder: whole,
    progress: false,
  });
});

describe("a process that is killed", () => {
  it.each([4, 24])(
    "after %i items loses nothing: the next one makes the rest, to the same bytes",
    async (count) => {
      const folder = join(directory, `killed-${count}`);
      const child = evalProcess(folder);
      const end = outcome(child);
      await afterSamples(folder, count, child);
      child.kill("SIGKILL");
      await end;
      const kept = lines(folder);
      expect(kept).toBeGreaterThanOrEqual(count);
      expect(kept).toBeLessThan(items);
      // Its lock is there, and it is dead.
      expect(existsSync(join(folder, "lock"))).toBe(true);
      const { code, out } = await outcome(evalProcess(folder));
      expect(code).toBe(0);
      expect(out).toMatch(/^arc-easy demo, generate: partial 60\/394: /);
      expect(sampleBytes(folder)).toBe(sampleBytes(whole));
      expect(existsSync(join(folder, "lock"))).toBe(false);
    },
  );

  it("by Ctrl-C prints its part, exits with 130, and can be gone on with", async () => {
    const folder = join(directory, "pressed");
    const child = evalProcess(folder);
    const end = outcome(child);
    await afterSamples(folder, 4, child);
    child.kill("SIGINT");
    const { code, out } = await end;
    expect(code).toBe(130);
    expect(out).toMatch(/^arc-easy demo, generate: partial \d+\/394: /);
    expect(lines(folder)).toBeLessThan(items);
    expect((await outcome(evalProcess(folder))).code).toBe(0);
    expect(sampleBytes(folder)).toBe(sampleBytes(whole));
  });
});

describe("a disk that is full", () => {
  it("ends the run with a coded error; what was finished is whole, and goes on when there is room", async () => {
    const folder = join(directory, "full");
    // Files may have 32 blocks of 512 or 1,024 bytes, as the shell counts: the system then refuses as a full disk does.
    const { code, err } = await outcome(evalProcess(folder, "ulimit -f 32;"));
    expect(code).toBe(1);
    expect(err).toMatch(
      /^error \[RUN_WRITE_FAILED\] .*samples\.jsonl could not be written: there is no room left for it\. Finished items are kept/m,
    );
    const bytes = sampleBytes(folder);
    expect(bytes.endsWith("\n")).toBe(true);
    expect(lines(folder)).toBeGreaterThan(0);
    expect(sampleBytes(whole).startsWith(bytes)).toBe(true);
    expect((await outcome(evalProcess(folder))).code).toBe(0);
    expect(sampleBytes(folder)).toBe(sampleBytes(whole));
  });
});

describe("two processes on one folder", () => {
  it("the second is refused while the first works", async () => {
    const folder = join(directory, "shared");
    const first = evalProcess(folder);
    const end = outcome(first);
    await afterSamples(folder, 4, first);
    // Or it could be done before the second has begun.
    first.kill("SIGSTOP");
    const second = await outcome(evalProcess(folder));
    first.kill("SIGCONT");
    expect(second.code).toBe(1);
    expect(second.err).toMatch(/^error \[RUN_LOCKED\] process \d+ on /);
    expect((await end).code).toBe(0);
    expect(sampleBytes(folder)).toBe(sampleBytes(whole));
  });

  it.each([
    ["whose process is no more", { pid: 2 ** 22 + 1, started: null, host: hostname() }, undefined],
    [
      "of a number that another process has by now",
      { pid: process.pid, started: "boot/1", host: hostname() },
      undefined,
    ],
    [
      "of another machine",
      { pid: 1, started: null, host: "elsewhere" },
      /^RUN_LOCKED: process 1 on elsewhere .* remove .*lock and start again/,
    ],
    ["that is no lock", "half", /^RUN_LOCKED: someone is working/],
  ])("a lock %s", async (_, content, message) => {
    const model = await loadModel();
    const folder = join(directory, "locks");
    const run = () => runEval({ model, task: "arc-easy", data: "demo", limit: 1, folder, progress: false });
    await run();
    writeFileSync(join(folder, "lock"), typeof content === "string" ? content : JSON.stringify(content));
    if (message === undefined) await run();
    else expect(await failureOf(run())).toMatch(message);
    expect(existsSync(join(folder, "lock"))).toBe(message !== undefined);
    writeFileSync(
      join(folder, "lock"),
      JSON.stringify({ pid: 2 ** 22 + 1, started: null, host: hostname() }),
    );
    await run();
    expect(JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")).items.done).toBe(1);
  });
});

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PulledModel } from "../../../src/checkpoint/index.js";
import { repositoryRoot } from "../../support/shared.js";
import { blobName, commit, type FakeHub, type Fault, fakeHub } from "../fake_hub.js";
import { smallConfig, temporaryDirectories } from "../support.js";

const directory = temporaryDirectories();

const shard = (name: string) =>
  Buffer.concat(
    Array.from({ length: 2 ** 16 }, (_, at) => createHash("sha256").update(`${name} ${at}`).digest()),
  );
const names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"];
const shards = Object.fromEntries(names.map((name) => [name, shard(name)])); // 2 MiB each
const index = { weight_map: { a: names[0], b: names[1] } };
const files = {
  "config.json": Buffer.from(JSON.stringify(smallConfig)),
  "pytorch_model.bin.index.json": Buffer.from(JSON.stringify(index)),
  ...shards,
};
const total = Object.values(files).reduce((sum, { length }) => sum + length, 0);

let cache: string;
let hub: FakeHub;
beforeEach(() => {
  cache = directory();
});
afterEach(() => hub.close());

/** Each MiB of a shard takes a third of a second at least. */
const slowly = (file: string): Fault => (file.endsWith(".bin") ? { slow: 5 } : {});

/** `persimmon pull` as a process of its own. */
function pull(...options: string[]): ChildProcess & { outcome: Promise<Outcome> } {
  const environment = { PATH: process.env.PATH, HF_HOME: cache, HF_ENDPOINT: hub.url, HOME: cache };
  const main = join(repositoryRoot, "dist", "src", "cli", "main.js");
  const child = spawn(process.execPath, [main, "pull", "owner/name", "--json", ...options], {
    env: environment,
  });
  return Object.assign(child, { outcome: outcomeOf(child) });
}

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let [out, err] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text) => (out += text));
  child.stderr?.setEncoding("utf8").on("data", (text) => (err += text));
  const [code] = await once(child, "close");
  return { code, out, err };
}

const repository = () => join(cache, "hub", "models--owner--name");
const lock = () => join(cache, "hub", ".locks", "models--owner--name", "persimmon.lock");
const partOf = (name: string) => join(repository(), "blobs", `${blobName(name, shards[name])}.incomplete`);
const sizeOf = (path: string) => (existsSync(path) ? statSync(path).size : 0);

async function untilHalf(child: ChildProcess, name: string): Promise<void> {
  while (sizeOf(partOf(name)) < 2 ** 20 && child.exitCode === null) await sleep(5);
}

function expectWhole({ code, out, err }: Outcome): PulledModel & { newBytes: number } {
  expect([code, err]).toEqual([0, ""]);
  const pulled = JSON.parse(out);
  expect(pulled).toMatchObject({ commit, bytes: total });
  for (const [name, data] of Object.entries(files))
    expect(readFileSync(join(pulled.directory, name)).equals(data)).toBe(true);
  expect(readdirSync(join(repository(), "blobs"))).toHaveLength(Object.keys(files).length);
  expect(existsSync(lock())).toBe(false);
  return pulled;
}

describe("a process that pulls", () => {
  it.each(names)(
    "killed in the middle of %s: the next one fetches the rest, and no byte more",
    async (name) => {
      hub = await fakeHub(files, { fault: slowly });
      const first = pull();
      await untilHalf(first, name);
      first.kill("SIGKILL");
      expect((await first.outcome).code).toBe(null);
      expect(existsSync(lock())).toBe(true); // of a process that is no more
      const part = statSync(partOf(name)).size;
      expect(part).toBeGreaterThanOrEqual(2 ** 20);
      expect(part).toBeLessThan(2 ** 21);
      const whole = Object.entries(files).filter(([file, data]) =>
        existsSync(join(repository(), "blobs", blobName(file, data))),
      );
      const there = whole.reduce((sum, [, data]) => sum + data.length, part);
      await hub.close();

      hub = await fakeHub(files);
      expectWhole(await pull().outcome);
      expect(hub.sent).toBe(total - there);
      const from = names.indexOf(name) === 0 ? [`bytes=${part}-`, ""] : [`bytes=${part}-`];
      expect(hub.ranges).toEqual(from);
      expect(expectWhole(await pull().outcome).newBytes).toBe(0);
      expect(hub.sent).toBe(total - there);
    },
  );

  it("stops at Ctrl-C, says so and leaves the part", async () => {
    hub = await fakeHub(files, { fault: slowly });
    const first = pull();
    await untilHalf(first, names[0]);
    first.kill("SIGINT");
    const { code, err } = await first.outcome;
    expect([code, err]).toEqual([
      130,
      "error [HUB_ABORTED] owner/name: the download was stopped. What has arrived is kept; the next one goes on from there.\n",
    ]);
    expect(existsSync(lock())).toBe(false);
    expect(sizeOf(partOf(names[0]))).toBeGreaterThanOrEqual(2 ** 20);
    expect(existsSync(join(repository(), "refs"))).toBe(false);
  });

  it("waits for another one that pulls the same, and finds all there", async () => {
    const waits = new EventEmitter();
    const until = once(waits, "seen");
    hub = await fakeHub(files, { fault: (file) => (file === names[1] ? { until } : {}) });
    const first = pull();
    while (sizeOf(partOf(names[1])) === 0 && first.exitCode === null) await sleep(5);
    const second = pull();
    second.stderr?.once("data", () => waits.emit("seen"));
    const [one, other] = [await first.outcome, await second.outcome];
    expectWhole(one);
    expect(other.err).toMatch(
      new RegExp(`^waiting for process ${first.pid}, which is downloading the same\n$`),
    );
    expect(expectWhole({ ...other, err: "" }).files.filter(({ isNew }) => isNew)).toEqual([]);
    expect(hub.sent).toBe(total);
  });

  it("does not wait for one on another machine, of which nobody knows whether it lives", async () => {
    hub = await fakeHub(files);
    mkdirSync(join(lock(), ".."), { recursive: true });
    writeFileSync(lock(), JSON.stringify({ pid: 1, started: null, host: "elsewhere" }));
    const { code, err } = await pull().outcome;
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^error \[HUB_LOCKED\] process 1 on elsewhere is/),
    ]);
  });

  it("takes the folder and the revision that it is told", async () => {
    hub = await fakeHub({ ...files, "README.md": Buffer.from("# A model") }, { branch: "v2" });
    const folder = directory();
    const { code, out } = await pull("--revision", "v2", "--cache-dir", folder, "--all").outcome;
    expect(code).toBe(0);
    const pulled: PulledModel = JSON.parse(out);
    const snapshot = join(folder, "models--owner--name", "snapshots", commit);
    expect(pulled.directory).toBe(snapshot);
    expect(readdirSync(snapshot)).toContain("README.md");
    expect(readFileSync(join(folder, "models--owner--name", "refs", "v2"), "utf8")).toBe(commit);
    expect(existsSync(join(cache, "hub"))).toBe(false);
  });
});

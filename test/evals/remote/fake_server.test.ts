import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { defineTask, type RunEvalOnServersOptions } from "../../../src/evals/index.js";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { loadModel } from "../../../src/load_model.js";
import { failureOf } from "../../support/codes.js";
import { sampleBytes } from "../run/support.js";
import type { Misbehaviour } from "./fake_jupyter.js";
import { common, fake, items, localRun, run, serverOf, sorted } from "./fake_runs.js";

const local = localRun();

/** Of a manifest. */
type Parts = Record<"engine" | "settings" | "data" | "model", object>;

describe("a run on servers", () => {
  it("gives the samples and the manifest of a run here, and leaves no kernel", async () => {
    const servers = [await fake(), await fake()];
    const folder = join(local.directory, "good");
    const progress: number[] = [];
    const result = await run([serverOf(servers[0], { kernels: 2 }), servers[1]], {
      folder,
      onProgress: ({ done, servers: now }) => {
        expect(now.map(({ url, kernels }) => [url, kernels])).toEqual([
          [servers[0].url, 2],
          [servers[1].url, 1],
        ]);
        progress.push(done);
        expect(now.reduce((sum, { samples }) => sum + samples, 0)).toBeGreaterThanOrEqual(done);
      },
    });
    expect(result.n).toBe(items);
    expect(progress.at(-1)).toBe(items);
    expect(sorted(folder)).toEqual(local.whole);
    expect(servers.flatMap(({ kernels }) => [...kernels])).toEqual([]);
    // The local run goes on with it, and finds nothing to do.
    const again = await runEval({ model: await loadModel(), ...common, folder });
    expect(again.fingerprint).toBe(result.fingerprint);
    expect(sorted(folder)).toEqual(local.whole);
  });

  it("goes on with what a run here began", async () => {
    const folder = join(local.directory, "begun");
    await runEval({ model: await loadModel(), ...common, limit: 5, folder });
    const first = sampleBytes(folder);
    await run([await fake()], { folder });
    expect(sampleBytes(folder).startsWith(first)).toBe(true);
    expect(sorted(folder)).toEqual(local.whole);
  });

  it.each([
    ["likelihood", { method: "likelihood" }],
    ["several samples", { samples: 3, temperature: 0.7, batchSize: 2 }],
    [
      "items of a list",
      {
        data: Array.from({ length: 4 }, (_, n) => ({
          id: `${n}`,
          question: `${n}?`,
          choices: ["a", "b"],
          gold: n % 2,
        })),
      },
    ],
    ["settings of the prompt", { chat: true, bos: false, shots: 0, keepPrompts: false }],
  ])("by %s is the same too", async (name, more) => {
    const options = { limit: 4, ...more } as Partial<RunEvalOnServersOptions>;
    const [here, there] = [join(local.directory, `here ${name}`), join(local.directory, `there ${name}`)];
    await runEval({ model: await loadModel(), ...common, ...(options as object), folder: here });
    await run([await fake(), await fake()], { ...options, folder: there });
    expect(sorted(there)).toEqual(sorted(here));
  });
});

describe("servers that are checked at the start", () => {
  it("one that is not there", async () => {
    const gone = await fake();
    const { url } = gone;
    gone.stop();
    const there = await fake();
    expect(await failureOf(run([there, { url }]))).toBe(
      `EVAL_SERVER_UNREACHABLE: ${url} cannot be reached: connect ECONNREFUSED ${new URL(url).host}. Is the server running, and is the address right?`,
    );
    expect(there.requests).not.toContain("POST /api/kernels");
  });

  it.each([
    [
      "with another token",
      { token: "wrong" },
      "EVAL_SERVER_REFUSED: URL refuses GET api/kernelspecs with 403 Forbidden: is the token right?",
    ],
    [
      "without a token",
      { token: "" },
      "EVAL_SERVER_REFUSED: URL refuses GET api/kernelspecs with 403 Forbidden: it needs a token",
    ],
    [
      "without the kernel",
      { kernelName: "other" },
      'EVAL_KERNELSPEC_MISSING: URL has no kernel "other"; it has persimmon, python3. Install it there with `persimmon kernel install`, or name it with `kernelName`',
    ],
    [
      "with a kernel for something else",
      { kernelName: "python3" },
      'EVAL_KERNELSPEC_MISSING: the kernel "python3" of URL is for python, not for TypeScript: name this library\'s kernel with `kernelName`',
    ],
  ])("one %s", async (_, more, message) => {
    const server = await fake();
    expect(await failureOf(run([serverOf(server, more)]))).toBe(message.replace("URL", server.url));
    expect(server.requests).toEqual(["GET /api/kernelspecs"]);
  });

  it("one that is something else", async () => {
    const page = await fake({
      rest: (_, response) => {
        response.end("<html>hello</html>");
        return true;
      },
    });
    expect(await failureOf(run([page]))).toBe(
      `EVAL_SERVER_REPLY_INVALID: ${page.url}: expected the list of kernelspecs, found "<html>hello</html>": is it a Jupyter server?`,
    );
  });
});

describe("kernels that would make another run", () => {
  const otherManifest = (change: (manifest: Parts) => unknown): Misbehaviour => ({
    shown: (message, cell) => {
      if (cell === 0) change(message.manifest);
      return message;
    },
  });

  it.each([
    [
      "another version",
      (m: Parts) => Object.assign(m.engine, { version: "9.9.9" }),
      /^EVAL_SERVER_MISMATCH: the samples of URL would not be those of the same run: engine\.version is "\d.*" here and "9\.9\.9" on URL$/,
    ],
    [
      "other stops",
      (m: Parts) => Object.assign(m.settings, { stop: [] }),
      /^EVAL_SERVER_MISMATCH: .* settings\.stop is \[.*\] here and \[\] on URL$/,
    ],
    [
      "other data",
      (m: Parts) => Object.assign(m.data, { sha256: "0" }),
      /^EVAL_SERVER_MISMATCH: .* data\.sha256 is "\w{64}" here and "0" on URL$/,
    ],
    [
      "no model",
      (m: Parts) => Object.assign(m, { model: null }),
      /^EVAL_SERVER_REPLY_INVALID: URL: expected the record of a model, found null$/,
    ],
  ])("%s", async (_, change, message) => {
    const server = await fake(otherManifest(change));
    const failure = await failureOf(run([server], { folder: join(local.directory, "never") }));
    expect(failure.replaceAll(server.url, "URL")).toMatch(message);
    expect(existsSync(join(local.directory, "never"))).toBe(false);
    expect(server.kernels.size).toBe(0);
  });

  it("a model that is not that of the first kernel", async () => {
    const good = await fake();
    const other = await fake(otherManifest((m) => Object.assign(m.model, { logits_sha256: "0".repeat(64) })));
    const failure = await failureOf(run([good, other], { limit: 394 }));
    expect(failure).toMatch(
      /^EVAL_SERVER_MISMATCH: .*model\.logits_sha256 is "\w{64}" on http.* and "\w{64}" on http/,
    );
    expect([...good.kernels, ...other.kernels]).toEqual([]);
  });

  it("a model that cannot be loaded there has the code of that", async () => {
    const server = await fake();
    expect(await failureOf(run([server], { model: "/no/such/model" }))).toMatch(
      new RegExp(`^CHECKPOINT_NOT_FOUND: ${server.url}: `),
    );
    expect(await failureOf(run([server], { load: { dtype: "int3" as never } }))).toMatch(
      new RegExp(`^DTYPE_UNSUPPORTED: ${server.url}: `),
    );
    expect(server.kernels.size).toBe(0);
  });

  it("a library that is too old says so", async () => {
    const evalue = "the persimmon-lab of this kernel is too old to answer evaluations from elsewhere";
    const server = await fake({
      cell: (socket) => socket.reply({ status: "error", ename: "Error", evalue }),
    });
    expect(await failureOf(run([server]))).toMatch(
      new RegExp(
        `^EVAL_KERNEL_UNFIT: kernel kernel-\\d of ${server.url} failed while it was set up: Error: ${evalue}`,
      ),
    );
  });
});

describe("what cannot be run elsewhere", () => {
  const own = defineTask({ name: "own", items: [{ prompt: "a b", answer: "c" }] });

  it.each([
    [
      "a task of a cell",
      { task: own },
      /^EVAL_TASK_NOT_SENDABLE: the task "own" has functions of this process/,
    ],
    [
      "a model of this process",
      { model: {} as never },
      /^EVAL_OPTIONS_INVALID: runEvalOnServers: model must be a folder/,
    ],
    ["no server", { servers: [] }, /^EVAL_SERVER_INVALID: servers of the run: expected a list/],
    [
      "an option that is none",
      { server: 1 } as never,
      /^OPTION_UNKNOWN: runEvalOnServers has no option "server"/,
    ],
    [
      "an option of loading that is none",
      { load: { type: 1 } as never },
      /^OPTION_UNKNOWN: load has no option "type"/,
    ],
    ["a limit of nothing", { limit: 0 }, /^EVAL_OPTIONS_INVALID: options of the run: limit must be/],
  ])("%s", async (_, options, message) => {
    const server = await fake();
    expect(await failureOf(run([server], options as Partial<RunEvalOnServersOptions>))).toMatch(message);
    expect(server.requests).toEqual([]);
  });
});

import { type ChildProcess, fork, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync } from "node:fs";
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { bareCommand, environment } from "../../../src/evals/sandbox/command.js";
import { execute } from "../../../src/evals/sandbox/execution.js";
import { Sandbox } from "../../../src/evals/sandbox/index.js";
import { findBareTools } from "../../../src/evals/sandbox/tools.js";
import { codeOf, failureOf } from "../../support/codes.js";
import { bubblewrapOrSkip } from "./bubblewrap_or_skip.js";
import { compiledSandbox } from "./compiled_sandbox.js";
import { descendants, survivors, waitForDescendants } from "./descendants.js";

bubblewrapOrSkip("Sandbox", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await Sandbox.open();
  });

  it("says how a program ended, and which it was", async () => {
    const program = "def f(x):\n    return x\nassert f(1) == 1\n";
    const { ms, ...result } = await sandbox.run(program);
    expect(result).toEqual({
      status: "passed",
      detail: "",
      sha256: createHash("sha256").update(program).digest("hex"),
      sandbox: "bubblewrap",
    });
    expect(ms).toBeGreaterThan(0);
  });

  it.each([
    ["", "passed", ""],
    ["assert 1 == 2, 'no'", "failed", "AssertionError: no (line 1)"],
    ["def f():\n    return g()\nf()", "failed", "NameError: name 'g' is not defined (line 2)"],
    ["raise ValueError('two\\nlines\\x1b[31m')", "failed", "ValueError: two lines\ufffd[31m (line 1)"],
    ["def f(:", "syntax", "SyntaxError: invalid syntax (<program>, line 1)"],
    ["import sys; sys.exit(0)", "failed", "SystemExit: 0 (line 1)"],
    ["import os; os._exit(0)", "crashed", "ended with exit code 0, without a verdict"],
    ["if __name__ == '__main__': raise Exception", "passed", ""],
    ["assert __name__ == 'builtins'", "passed", ""],
    ["assert 'ü🍣' == '\\xfc\\U0001f363'", "passed", ""],
    [
      "class E(Exception):\n  def __str__(self): raise E\nraise E",
      "failed",
      "an exception that cannot be printed",
    ],
    ["raise Exception('x' * 10**7)", "failed", `Exception: ${"x".repeat(300)} (line 1)`],
    ["import threading\nthreading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()", "passed", ""],
    ["import sys\nassert sys.stdin.read() == ''\nassert sys.argv[0] == '-c'", "passed", ""],
  ])("%j", async (program, status, detail) => {
    expect(await sandbox.run(program)).toMatchObject({ status, detail });
  });

  it("a program of 8 MiB reaches the interpreter whole", async () => {
    const program = `x = '${"a🍣".repeat(1 << 20)}'\nassert len(x) == ${2 << 20}, len(x)`;
    expect(await sandbox.run(program)).toMatchObject({ status: "passed", detail: "" });
  });

  it.each([
    ["a word", "import os\nos.write(3, b'passed\\n')\nos._exit(0)"],
    ["a whole line", "import os\nos.write(3, b'0' * 32 + b' passed \\n')\nos._exit(0)"],
    ["a line before the verdict", "import os\nos.write(3, b'x\\n')"],
    [
      "lines to all descriptors",
      "import os\nfor fd in range(64):\n  try: os.write(fd, b' passed\\n')\n  except OSError: pass",
    ],
    ["gigabytes", "import os\nwhile True: os.write(3, bytes(1 << 20))"],
  ])("%s in the result pipe is no pass", async (_, program) => {
    const before = process.memoryUsage().rss;
    const { status, detail, ms } = await sandbox.run(program);
    expect({ status, detail }).toEqual({
      status: "crashed",
      detail: "the program wrote to the pipe of its own verdict",
    });
    expect(ms).toBeLessThan(4000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
  });

  it("a closed result pipe is no pass", async () => {
    const { status } = await sandbox.run("import os\nos.closerange(3, 64)");
    expect(status).toBe("crashed");
  });

  it("the verdict is that of the program itself, not of a child that it made", async () => {
    expect(await sandbox.run("import os\nfor _ in range(2): os.fork()")).toMatchObject({ status: "passed" });
    const program = "import os, time\nif os.fork() == 0: raise ValueError\ntime.sleep(0.3)\nraise KeyError";
    expect(await sandbox.run(program)).toMatchObject({ status: "failed", detail: "KeyError (line 4)" });
  });

  it("a program that replaces what the interpreter around it uses is still judged", async () => {
    const program =
      "import builtins, os, time\nos.write = os._exit = time.sleep = builtins.str = builtins.type = None";
    expect(await sandbox.run(program)).toMatchObject({ status: "passed" });
    const failing = `${program}\nraise ValueError`;
    expect(await sandbox.run(failing)).toMatchObject({ status: "failed" });
  });

  it("runAll keeps the order and tells of each result once", async () => {
    const programs = [0.4, 0, 0.2, 0, 0].map(
      (s, i) => `import time\ntime.sleep(${s})\nraise Exception(${i})`,
    );
    const told: number[] = [];
    let telling = 0;
    const results = await sandbox.runAll(programs, {
      concurrency: 3,
      onResult: async (result, index) => {
        expect(telling++).toBe(0);
        await new Promise((resolve) => setTimeout(resolve, 5));
        telling--;
        told.push(index);
        expect(result.detail).toBe(`Exception: ${index} (line 3)`);
      },
    });
    expect(results.map(({ detail }) => detail.slice(11, 12))).toEqual(["0", "1", "2", "3", "4"]);
    expect(told.toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(told).not.toEqual([0, 1, 2, 3, 4]);
    expect(await sandbox.runAll([])).toEqual([]);
  });

  it("what onResult throws ends the run", async () => {
    const programs = ["pass", ...Array(5).fill("import time\ntime.sleep(60)")];
    const full = () => {
      throw new Error("disk full");
    };
    expect(await failureOf(sandbox.runAll(programs, { concurrency: 3, onResult: full }))).toBe(
      "undefined: disk full",
    );
    expect(await survivors(descendants())).toEqual([]);
  });

  it("an abort in the middle leaves no process, and what was done is known", async () => {
    const stop = new AbortController();
    const programs = ["pass", ...Array(20).fill("import time, os\nos.fork()\ntime.sleep(60)")];
    const told: number[] = [];
    const run = sandbox.runAll(programs, {
      concurrency: 4,
      signal: stop.signal,
      onResult: (_, index) => void told.push(index),
    });
    const failure = failureOf(run);
    await vi.waitFor(() => expect(told).toEqual([0]), { timeout: 10_000 });
    const known = await waitForDescendants(14);
    stop.abort();
    expect(await failure).toMatch(/^INTERRUPTED: /);
    expect(told).toEqual([0]);
    expect(await survivors(known)).toEqual([]);
    expect(await survivors(descendants())).toEqual([]);
  });

  it("an abort at any moment of the start leaves no process", async () => {
    for (let delay = 0; delay <= 40; delay += 4) {
      const stop = new AbortController();
      const run = failureOf(sandbox.run("import time\ntime.sleep(60)", { signal: stop.signal }));
      setTimeout(() => stop.abort(), delay);
      expect(await run).toMatch(/^INTERRUPTED: /);
    }
    expect(await survivors(descendants())).toEqual([]);
    expect(await failureOf(sandbox.run("pass", { signal: AbortSignal.abort() }))).toMatch(/^INTERRUPTED: /);
  });

  it("kill -9 of the caller ends its programs too", async () => {
    const caller: ChildProcess = fork(compiledSandbox(), { execArgv: [], stdio: "inherit" });
    onTestFinished(() => void caller.kill("SIGKILL"));
    // The caller, and for each program bubblewrap twice and the interpreter, which then needs a moment to get its program.
    const known = await waitForDescendants(1 + 3 * 4);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(known.some(({ pid }) => pid === caller.pid)).toBe(true);
    caller.kill("SIGKILL");
    expect(await survivors(known)).toEqual([]);
  });

  it("is interrupted by the stop button of a notebook", async () => {
    const stop = new AbortController();
    const host = Symbol.for("Jupyter.host");
    Object.assign(globalThis, { [host]: { signal: stop.signal } });
    try {
      const run = failureOf(sandbox.run("import time\ntime.sleep(60)"));
      stop.abort();
      expect(await run).toMatch(/^INTERRUPTED: /);
    } finally {
      delete (globalThis as Record<symbol, unknown>)[host];
    }
  });

  it("says when no process can be started, instead of failing the program", async () => {
    const highest = Math.max(...readdirSync("/proc/self/fd").map(Number));
    // A shell that is started before, because with too few files nothing could be started to put the limit back.
    const script = `
old=$(prlimit --pid ${process.pid} --nofile -o SOFT --noheadings)
prlimit --pid ${process.pid} --nofile=${highest + 16}: && echo lowered && read -r line
prlimit --pid ${process.pid} --nofile=$(echo $old):`;
    const shell = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = new Promise((resolve) => shell.once("exit", resolve));
    await new Promise((resolve) => shell.stdout.once("data", resolve));
    const files: number[] = [];
    const fill = () => {
      while (true) files.push(openSync("/dev/null", "r"));
    };
    expect(codeOf(fill)).toBe("EMFILE");
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => sandbox.run("pass")));
    for (const file of files) closeSync(file);
    shell.stdin.end("\n");
    expect(await ended).toBe(0);
    for (const end of ends) {
      expect(end).toMatchObject({
        reason: { code: "SANDBOX_FAILED", message: expect.stringMatching(/could not be started.*EMFILE/) },
      });
    }
    expect(await sandbox.run("pass")).toMatchObject({ status: "passed" });
  });

  it("refuses what is no program", async () => {
    expect(await failureOf(sandbox.run(7 as never))).toMatchInlineSnapshot(
      `"SANDBOX_OPTIONS_INVALID: Sandbox: a program must be a string, got number"`,
    );
    expect(await failureOf(sandbox.runAll(["pass", null as never]))).toMatchInlineSnapshot(
      `"SANDBOX_OPTIONS_INVALID: Sandbox: program 1 must be a string, got object"`,
    );
    expect(await failureOf(sandbox.runAll("pass" as never))).toMatchInlineSnapshot(
      `"SANDBOX_OPTIONS_INVALID: Sandbox: programs must be a list of strings, got string"`,
    );
    expect(await failureOf(sandbox.runAll([], { concurrency: 0 }))).toMatchInlineSnapshot(
      `"SANDBOX_OPTIONS_INVALID: Sandbox: concurrency must be a whole number from 1 to 1024, got 0"`,
    );
    expect(await failureOf(sandbox.runAll([], { parallel: 2 } as never))).toMatchInlineSnapshot(
      `"OPTION_UNKNOWN: Sandbox.runAll has no option "parallel"; it has concurrency, onResult, signal"`,
    );
  });
});

describe("Sandbox.open", () => {
  const path = process.env.PATH;
  afterEach(() => {
    process.env.PATH = path;
  });

  it("refuses options that make no sense", async () => {
    expect(await failureOf(Sandbox.open({ cpuSeconds: 0 }))).toMatchInlineSnapshot(
      `"SANDBOX_OPTIONS_INVALID: Sandbox: cpuSeconds must be a whole number from 1 to 3600, got 0"`,
    );
    expect(await failureOf(Sandbox.open({ cpuSeconds: 5, wallSeconds: 4 }))).toMatchInlineSnapshot(
      `"SANDBOX_OPTIONS_INVALID: Sandbox: wallSeconds must be a number from cpuSeconds (5) to 86400, got 4"`,
    );
    expect(await failureOf(Sandbox.open({ wallSeconds: Number.NaN }))).toMatchInlineSnapshot(
      `"SANDBOX_OPTIONS_INVALID: Sandbox: wallSeconds must be a number from cpuSeconds (4) to 86400, got NaN"`,
    );
    expect(await failureOf(Sandbox.open({ unsafeRunWithoutSandbox: "no" as never }))).toMatchInlineSnapshot(
      `"SANDBOX_OPTIONS_INVALID: Sandbox: unsafeRunWithoutSandbox must be true or false, got no"`,
    );
    expect(await failureOf(Sandbox.open({ timeout: 3 } as never))).toMatchInlineSnapshot(
      `"OPTION_UNKNOWN: Sandbox.open has no option "timeout"; it has cpuSeconds, wallSeconds, unsafeRunWithoutSandbox"`,
    );
  });

  it.skipIf(process.platform !== "linux")("refuses where bubblewrap is missing", async () => {
    process.env.PATH = "";
    expect(await failureOf(Sandbox.open())).toMatchInlineSnapshot(
      `"SANDBOX_UNAVAILABLE: the sandbox for generated Python cannot be used: bwrap is not on the PATH. What to do: install bubblewrap (0.8 or newer); run the programs on a Linux machine with bubblewrap; or open the sandbox with unsafeRunWithoutSandbox: true, which gives what the model wrote your files and your network"`,
    );
  });

  it("has limits where there is no prlimit, as on macOS", async () => {
    const { python } = findBareTools();
    const { signal } = new AbortController();
    const command = bareCommand({ python }, 1);
    const about = { command, cwd: "/", env: environment, cpuSeconds: 1, wallSeconds: 20, signal };
    expect(await execute({ ...about, program: "pass" })).toMatchObject({ status: "passed", detail: "" });
    expect(await execute({ ...about, program: "while True: pass" })).toMatchObject({
      status: "timeout",
      detail: "used its 1 s of CPU time",
    });
  });

  it("refuses on another system", async () => {
    const platform = Object.getOwnPropertyDescriptor(process, "platform")!;
    Object.defineProperty(process, "platform", { ...platform, value: "darwin" });
    try {
      expect(await failureOf(Sandbox.open())).toMatch(
        /^SANDBOX_UNAVAILABLE: .*bubblewrap works on Linux only, and this is darwin/,
      );
    } finally {
      Object.defineProperty(process, "platform", platform);
    }
  });

  it("runs without a sandbox only when told so, warns, and says so in each result", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => void warnings.push(warning);
    process.on("warning", listen);
    const bare = await Sandbox.open({ unsafeRunWithoutSandbox: true, cpuSeconds: 1, wallSeconds: 20 });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", listen);
    expect(warnings.map(({ name, message }) => `${name}: ${message}`)).toMatchInlineSnapshot(`
      [
        "PersimmonWarning: generated programs run WITHOUT a sandbox (unsafeRunWithoutSandbox): they can read and delete your files and use your network",
      ]
    `);
    expect(bare.kind).toBe("none");
    const secret =
      "import os\nassert sorted(os.environ) == ['HOME', 'LANG', 'OMP_NUM_THREADS', 'PATH', 'PYTHONHASHSEED'], os.environ";
    expect(await bare.run(secret)).toMatchObject({ status: "passed", detail: "", sandbox: "none" });
    const [exits, loops, memory, waits] = await bare.runAll([
      "import os\nos._exit(0)",
      "while True: pass",
      "bytearray(1 << 30)",
      "import os, time\nopen('file', 'w').close()\nif os.fork(): os._exit(0)\ntime.sleep(60)",
    ]);
    expect(exits).toMatchObject({ status: "crashed", sandbox: "none" });
    expect(loops).toMatchObject({ status: "timeout", detail: "used its 1 s of CPU time" });
    if (process.platform === "linux")
      expect(memory).toMatchObject({ status: "failed", detail: "MemoryError (line 1)" });
    // Without namespaces processes are counted for the whole user, who may have too many already.
    expect(["crashed", "failed"]).toContain(waits.status);
    expect(await survivors(descendants())).toEqual([]);
  });
});

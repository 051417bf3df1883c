import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { sandboxCommand } from "../../../src/evals/sandbox/command.js";
import { execute } from "../../../src/evals/sandbox/execution.js";
import { Sandbox } from "../../../src/evals/sandbox/index.js";
import { findSandboxTools, type Tools } from "../../../src/evals/sandbox/tools.js";
import { failureOf } from "../../support/codes.js";
import { bubblewrapOrSkip } from "./bubblewrap_or_skip.js";
import { stillListed, waitForDescendants } from "./descendants.js";

/** What is easily done wrong around bubblewrap; each was seen to go wrong before. */
bubblewrapOrSkip("traps of the sandbox", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await Sandbox.open();
  });

  const passes = async (program: string) =>
    expect(await sandbox.run(program)).toMatchObject({ status: "passed", detail: "" });

  it("root is given up, so that the number of processes has its limit", async () => {
    await passes("import os\nassert os.getuid() == os.geteuid() != 0");
    if (process.getuid!() === 0) expect(sandboxCommand(findSandboxTools(), 4)[0]).toMatch(/setpriv$/);
  });

  it("40 sandboxes at once do not take processes from each other", async () => {
    const program = `
import os, time
children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        time.sleep(0.2)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)`;
    const results = await sandbox.runAll(Array(40).fill(program), { concurrency: 40 });
    expect(results.filter(({ status }) => status !== "passed")).toEqual([]);
  }, 60_000);

  it("/ and /dev take no files, which would fill the memory", () =>
    passes(`
import os
for folder in ("/", "/dev", "/dev/shm"):
    assert os.statvfs(folder).f_flag & os.ST_RDONLY, folder`));

  it("the environment of this process is nowhere to be found", async () => {
    process.env.PERSIMMON_TEST_SECRET = "a-secret-of-the-caller";
    try {
      await passes(`
import os, glob
assert sorted(os.environ) == ["HOME", "LANG", "OMP_NUM_THREADS", "PATH", "PWD", "PYTHONHASHSEED"], os.environ
for path in glob.glob("/proc/*/environ"):
    assert b"a-secret-of-the-caller" not in open(path, "rb").read(), path
assert b"PATH=" not in open("/proc/1/environ", "rb").read()`);
    } finally {
      delete process.env.PERSIMMON_TEST_SECRET;
    }
  });

  it("no open file of this process is handed on", async () => {
    const tools = findSandboxTools();
    // Node closes low descriptors for its children, but not all: bash opens two more here.
    const command = [
      "/bin/bash",
      "-c",
      'exec 11</etc/passwd 251</etc/passwd; exec "$@"',
      "bash",
      ...sandboxCommand(tools, 4),
    ];
    const program = `
import os
seen = {name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}") or name == "3"}
assert [seen.pop(name) for name in "012"] == ["/dev/null"] * 3
assert seen.pop("3").startswith("socket:")
assert not seen, seen
for name in os.listdir("/proc/1/fd"):
    assert "passwd" not in os.readlink(f"/proc/1/fd/{name}")`;
    const { signal } = new AbortController();
    const about = { cwd: "/", env: {}, program, cpuSeconds: 4, wallSeconds: 12, signal };
    expect(await execute({ ...about, command })).toMatchObject({ status: "passed", detail: "" });
  });

  it("waiting is not computing: only CPU time is held against a program", async () => {
    const strict = await Sandbox.open({ cpuSeconds: 1, wallSeconds: 20 });
    const [waits, computes] = await strict.runAll(["import time; time.sleep(2.5)", "while True: pass"]);
    expect(waits.status).toBe("passed");
    expect(waits.ms).toBeGreaterThanOrEqual(2500);
    expect(computes).toMatchObject({ status: "timeout", detail: "used its 1 s of CPU time" });
  });

  it("leaves no zombie, whether the program ends or is ended", async () => {
    const short = await Sandbox.open({ cpuSeconds: 1, wallSeconds: 1 });
    for (const seconds of [0.5, 60]) {
      const running = short.run(`import time\ntime.sleep(${seconds})`);
      const known = await waitForDescendants(3);
      await running;
      expect(stillListed(known)).toEqual([]);
    }
  });

  it("sets have the same order in every run, so that a verdict does not change by itself", async () => {
    const results = await sandbox.runAll(
      Array(3).fill("raise Exception(list({'a', 'b', 'c', 'd', 'e', 'f', 'g'}))"),
    );
    expect(results[0].detail).toMatch(/^Exception: \['[a-g]'/);
    expect(new Set(results.map(({ detail }) => detail)).size).toBe(1);
  });

  it("a program has neither our terminal nor our output", () =>
    passes(`
import errno, os, sys
print("this must not be seen"); print("nor this", file=sys.stderr)
try:
    open("/dev/tty", "w")
    raise Exception("a terminal")
except OSError as error:
    assert error.errno == errno.ENXIO, error
for name in os.listdir("/proc/1/fd"):
    if name in "012":
        assert not os.readlink(f"/proc/1/fd/{name}").startswith(("pipe:", "/dev/pts"))`));
});

/** Stands for a tool on the PATH. `WRAPPED` is the real one. */
bubblewrapOrSkip("a sandbox that does not hold is not opened", () => {
  let tools: Tools;
  const path = process.env.PATH;
  let folder: string;
  beforeAll(() => {
    tools = findSandboxTools();
    folder = mkdtempSync(join(tmpdir(), "persimmon-tools-"));
    chmodSync(folder, 0o755); // for the user that root becomes
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(join(folder, "bwrap"), { force: true });
    rmSync(join(folder, "setpriv"), { force: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const openWith = (name: "bwrap" | "setpriv", script: string) => {
    writeFileSync(join(folder, name), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
    process.env.PATH = `${folder}:${path}`;
    return failureOf(Sandbox.open(), folder);
  };
  /** bubblewrap with its arguments, joined by |, changed by sed. */
  const changed = (expression: string) => `
if [ "$1" = --version ]; then exec ${tools.bwrap} --version; fi
args=()
for argument in "$@"; do
  case $argument in /usr/bin/prlimit) break;; esac
  args+=("$argument"); shift
done
IFS='|'; front=$(sed '${expression}' <<< "\${args[*]}"); read -ra args <<< "$front"
exec /usr/bin/env -i ${tools.bwrap} "\${args[@]}" "$@"`;

  it("the unchanged command is accepted, so that what follows is not refused for another reason", async () => {
    writeFileSync(join(folder, "bwrap"), `#!/bin/bash\n${changed("s/nothing/nothing/")}\n`, { mode: 0o755 });
    process.env.PATH = `${folder}:${path}`;
    expect((await Sandbox.open()).kind).toBe("bubblewrap");
  });

  it.each([
    ["a writable root", "s/--remount-ro|\\/|--chdir/--chdir/", /: \/ can be written\b/],
    ["a writable /dev", "s/--remount-ro|\\/dev|//", /: \/dev can be written; \/dev\/shm can be written\./],
    [
      "the network",
      "s/--unshare-all/--unshare-pid|--unshare-ipc|--unshare-uts/",
      /network interfaces of the machine are seen/,
    ],
    [
      "the processes",
      "s/--unshare-all/--unshare-net|--unshare-ipc|--unshare-uts/",
      /processes of the machine are seen/,
    ],
    ["files of the machine", "s/--ro-bind/--ro-bind|\\/etc|\\/etc|--ro-bind/", /: \/etc\/passwd can be read/],
    ["user namespaces", "s/|--disable-userns//", /a user namespace can be made/],
  ])("%s", async (_, expression, message) => {
    const failure = await openWith("bwrap", changed(expression));
    expect(failure).toMatch(/^SANDBOX_UNAVAILABLE: /);
    expect(failure).toMatch(message);
  });

  it.skipIf(process.getuid?.() !== 0)("root", async () => {
    const script = 'while [[ $1 == --* ]]; do shift; done; exec "$@"';
    const failure = await openWith("setpriv", script);
    expect(failure).toMatch(/^SANDBOX_UNAVAILABLE: .*the number of processes has no limit/);
  });

  it("the environment", async () => {
    const script = `export PERSIMMON_TEST_SECRET=x; exec ${tools.bwrap} "$@"`;
    expect(await openWith("bwrap", script)).toMatch(
      /^SANDBOX_UNAVAILABLE: .*says failed: the environment of the caller is seen\./,
    );
  });

  it("no sandbox at all", async () => {
    const script = `[ "$1" = --version ] && exec ${tools.bwrap} --version
while [ "$1" != /usr/bin/prlimit ]; do shift; done; exec "$@"`;
    expect(await openWith("bwrap", script)).toMatch(/^SANDBOX_UNAVAILABLE: .*\/etc\/passwd can be read/);
  });

  it("a bubblewrap that is refused by the kernel", async () => {
    const script = `[ "$1" = --version ] && exec ${tools.bwrap} --version
echo "bwrap: No permissions to create new namespace" >&2; exit 1`;
    expect(await openWith("bwrap", script)).toMatch(
      /^SANDBOX_UNAVAILABLE: .*\(bwrap: No permissions to create new namespace\)/,
    );
  });

  it("an old bubblewrap", async () => {
    expect(await openWith("bwrap", "echo bubblewrap 0.6.1")).toMatchInlineSnapshot(
      `"SANDBOX_UNAVAILABLE: the sandbox for generated Python cannot be used: <directory>/bwrap is "bubblewrap 0.6.1". What to do: install bubblewrap 0.8 or newer; run the programs on a Linux machine with bubblewrap; or open the sandbox with unsafeRunWithoutSandbox: true, which gives what the model wrote your files and your network"`,
    );
  });
});

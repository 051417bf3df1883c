import { createServer } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Sandbox } from "../../../src/evals/sandbox/index.js";
import { repositoryRoot } from "../../support/shared.js";
import { descendants, survivors, waitForDescendants } from "./descendants.js";

/** Attempts that fail inside: each program asserts what it meets, and passes. */
const refused: Record<string, string> = {
  "DNS, 8.8.8.8 and other interfaces": `
import errno, socket
def attempt(address):
    try:
        socket.create_connection(address, 1)
    except socket.gaierror as error:
        return "gaierror", error.errno
    except OSError as error:
        return errno.errorcode[error.errno]
assert attempt(("8.8.8.8", 53)) == "ENETUNREACH"
assert attempt(("example.com", 80)) == ("gaierror", socket.EAI_AGAIN)
assert [name for _, name in socket.if_nameindex()] == ["lo"]`,
  "reading files of the machine": `
import os
for path in ("/etc/passwd", "/root", "/home", "/var", "/sys", ${JSON.stringify(repositoryRoot)}):
    try:
        os.stat(path)
        raise Exception(path)
    except FileNotFoundError:
        pass
assert sorted(os.listdir("/")) == ["bin", "dev", "lib", "lib64", "proc", "tmp", "usr"]
assert sorted(name for name in os.listdir("/proc") if name.isdigit()) == ["1", "2"]
assert os.getcwd() == "/tmp" and os.listdir("/tmp") == []`,
  "writing outside of /tmp": `
import errno, os
for folder in ("/", "/usr", "/usr/lib", "/dev", "/dev/shm"):
    try:
        open(os.path.join(folder, "x"), "w")
        raise Exception(folder)
    except OSError as error:
        assert error.errno == errno.EROFS, error`,
  "filling /tmp": `
import errno
def fill(path):
    with open(path, "wb") as file:
        written = 0
        try:
            while True:
                written += file.raw.write(bytes(1 << 20))
        except OSError as error:
            return written, errno.errorcode[error.errno]
assert fill("/tmp/0") == (16 << 20, "EFBIG")
sizes = [fill(f"/tmp/{i}") for i in range(1, 5)]
assert sizes[:2] == [(16 << 20, "EFBIG")] * 2
assert sizes[3][1] == "ENOSPC" and sum(size for size, _ in sizes) <= 48 << 20, sizes`,
  "mount, user namespaces, signals to all, becoming root": `
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
assert libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == -1 and ctypes.get_errno() == errno.EPERM
assert libc.unshare(0x10000000) == -1 and ctypes.get_errno() in (errno.EPERM, errno.ENOSPC)
def attempt(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
assert attempt(os.kill, -1, 9) == "ESRCH"
assert attempt(os.setuid, 0) in ("EINVAL", "EPERM")
assert attempt(os.chroot, "/tmp") == "EPERM"
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
assert [int(status["Cap" + name], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [0] * 5
assert status["NoNewPrivs"] == "1"`,
  "more than six children": `
import errno, os, time
children = 0
try:
    while children < 64:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        children += 1
except OSError as error:
    assert error.errno == errno.EAGAIN
assert children == 6, children`,
  "allocating 1 GiB": `
try:
    bytearray(1 << 30)
    raise Exception("there was memory")
except MemoryError:
    pass`,
};

/** Programs that do not come to their end: what is said of them. */
const ended: Record<string, [program: string, status: string, detail: string | RegExp]> = {
  "an endless loop": ["while True: pass", "timeout", "used its 1 s of CPU time"],
  "an endless loop that ignores the signal": [
    "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
    "timeout",
    "used its 1 s of CPU time",
  ],
  "endless printing": ["while True: print('x' * 1000)", "timeout", "used its 1 s of CPU time"],
  "memory without end": ["x = []\nwhile True: x.append(bytes(1 << 20))", "failed", "MemoryError (line 2)"],
  "100,000 brackets": ["(".repeat(100_000), "syntax", /^(SyntaxError|MemoryError|RecursionError)/],
  "NUL in the program": ["x = '\0'", "syntax", /null bytes/],
  "half a character": ["x = '\ud800'", "crashed", /^the program is not Unicode text/],
  "a null pointer": ["import ctypes\nctypes.string_at(0)", "crashed", "ended by SIGSEGV, without a verdict"],
  "its own SIGKILL": ["import os\nos.kill(os.getpid(), 9)", "crashed", "ended by SIGKILL, without a verdict"],
};

/** Programs that are ended from outside. */
const outlasting: Record<string, string> = {
  waiting: "import time\ntime.sleep(99)",
  "a fork bomb": "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
};

/** Tests for every row of the table of attacks, for the user that this process is. */
export function attackTable(): void {
  let sandbox: Sandbox;
  beforeAll(async () => {
    // Long on the clock: on a busy machine a second of CPU takes several.
    sandbox = await Sandbox.open({ cpuSeconds: 1, wallSeconds: 25 });
  });

  // Programs of one test file run one after the other: what is below this process belongs to them.
  afterAll(async () => {
    expect(await survivors(descendants())).toEqual([]);
  });

  it.each(Object.entries(refused))("%s", async (_, program) => {
    expect(await sandbox.run(program)).toMatchObject({ status: "passed", detail: "" });
  });

  it.each(Object.entries(ended))("%s", async (_, [program, status, detail]) => {
    const result = await sandbox.run(program);
    expect(result.status).toBe(status);
    expect(result.detail).toMatch(detail);
  });

  it.each(Object.entries(outlasting))("%s", async (_, program) => {
    const impatient = await Sandbox.open({ cpuSeconds: 1, wallSeconds: 1.5 });
    const running = impatient.run(program);
    const known = await waitForDescendants(3);
    const { status, detail } = await running;
    expect(status).toBe("timeout");
    expect(detail).toMatch(/not done after 1.5 s on the clock|used its 1 s of CPU time/);
    expect(await survivors([...known, ...descendants()])).toEqual([]);
  });

  it("a server of this machine", async () => {
    const met: string[] = [];
    const server = createServer((socket) => void met.push(socket.remoteAddress ?? "?")).listen(
      0,
      "127.0.0.1",
    );
    try {
      await new Promise((resolve) => server.once("listening", resolve));
      const { port } = server.address() as { port: number };
      const program = `import socket\nsocket.create_connection(("127.0.0.1", ${port}), 1)`;
      const { status, detail } = await sandbox.run(program);
      expect(status).toBe("failed");
      expect(detail).toMatch(/^ConnectionRefusedError/);
      expect(met).toEqual([]);
    } finally {
      server.close();
    }
  });

  it("a daemon", async () => {
    const program = `
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
time.sleep(0.5)`;
    const result = sandbox.run(program);
    // bubblewrap twice, the interpreter and the daemon.
    const known = await waitForDescendants(4);
    expect(await result).toMatchObject({ status: "passed" });
    expect(await survivors(known)).toEqual([]);
  });
}

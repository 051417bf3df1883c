import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { compiledKernel, TestKernel } from "./support/kernel.js";

let kernel: TestKernel | undefined;
afterEach(async () => {
  await kernel?.stop();
  kernel = undefined;
});

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    // A zombie is dead, though its entry stays until someone waits for it.
    return process.platform !== "linux" || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((done) => setTimeout(done, 50));
  expect(condition()).toBe(true);
}

describe("shutdown", () => {
  it("replies, ends an idle kernel with status 0, and its child processes too", async () => {
    kernel = await TestKernel.start();
    const child = Number(
      await kernel.evaluate(
        "import { spawn } from 'node:child_process'; setInterval(() => {}, 1000); spawn('sleep', ['100']).pid",
      ),
    );
    expect(isAlive(child)).toBe(true);
    expect(await kernel.request("control", "shutdown_request", { restart: false })).toEqual({
      status: "ok",
      restart: false,
    });
    expect(await kernel.exited).toBe(0);
    await until(() => !isAlive(child));
  });

  it("ends a kernel that computes for ever", async () => {
    kernel = await TestKernel.start();
    await kernel.submit("console.log('running'); while (true) {}");
    await kernel.wait((m) => m.content.text === "running\n");
    await kernel.request("control", "shutdown_request", { restart: true });
    expect(await kernel.exited).toBe("SIGKILL");
  });
});

describe("the parent's death", () => {
  it("ends the kernel", async () => {
    const folder = mkdtempSync(join(tmpdir(), "persimmon-kernel-test-"));
    const connection = { shell_port: 1, iopub_port: 2, stdin_port: 3, control_port: 4, hb_port: 5, key: "" };
    const file = join(folder, "connection.json");
    writeFileSync(file, JSON.stringify({ ...connection, transport: "ipc", ip: join(folder, "socket") }));
    const pidFile = join(folder, "pid");
    const argv = JSON.stringify(["--no-force-async-hooks-checks", compiledKernel(), file]);
    const script = `
      const child = require("node:child_process").spawn(process.execPath, ${argv}, { stdio: "ignore", detached: true });
      require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
    onTestFinished(() => void parent.kill("SIGKILL"));
    const pid = () => {
      try {
        return Number(readFileSync(pidFile, "utf8"));
      } catch {
        return 0;
      }
    };
    await until(() => pid() > 0);
    await until(() => existsSync(join(folder, "socket-1"))); // it serves, over ipc, and watches its parent
    expect(isAlive(pid())).toBe(true);
    parent.kill("SIGKILL");
    await until(() => !isAlive(pid()));
    rmSync(folder, { recursive: true, force: true });
  });
});

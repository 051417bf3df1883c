#!/usr/bin/env node
// Runs `npm start` as a user would, waits until JupyterLab answers with our kernel and our renderer, and ends it with
// SIGTERM, as a terminal that closes would.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { resultDirectory } from "./bootstrap/checks.mjs";
import { root } from "./bootstrap/paths.mjs";
import { exitOnSignal } from "./run-notebooks/exit-on-signal.mjs";
import { killTree } from "./run-notebooks/process-tree.mjs";
import { freePort } from "./run-notebooks/server.mjs";

const START_SECONDS = 600;
const STOP_SECONDS = 20;

async function main() {
  const token = randomBytes(24).toString("hex");
  const port = await freePort();
  const child = spawn("npm", ["start", "--", "--no-browser", "--port", `${port}`], {
    cwd: root,
    env: { ...process.env, JUPYTER_TOKEN: token },
    stdio: ["ignore", "inherit", "inherit"],
  });
  process.on("exit", () => killTree(child.pid));
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const get = async (/** @type {string} */ path) => {
    const headers = { Authorization: `token ${token}` };
    const response = await fetch(`http://127.0.0.1:${port}/${path}`, { headers });
    return response.ok ? response.text() : "";
  };

  /** @type {{ name: string, passed: boolean, message?: string }[]} */
  const results = [];
  const check = (/** @type {string} */ name, /** @type {boolean} */ passed, /** @type {string} */ message) =>
    results.push(passed ? { name, passed } : { name, passed, message });

  const deadline = Date.now() + START_SECONDS * 1000;
  let specs = "";
  while (specs === "" && !ended() && Date.now() < deadline) {
    await sleep(500);
    specs = await get("api/kernelspecs").catch(() => "");
  }
  check(
    "JupyterLab answers",
    specs !== "",
    ended() ? "npm start ended before" : `not within ${START_SECONDS} s`,
  );
  if (specs !== "") {
    const kernels = Object.keys(JSON.parse(specs).kernelspecs);
    check("the kernel is there", kernels.includes("persimmon"), `there are: ${kernels.join(", ")}`);
    const page = await get("lab").catch(() => "");
    check(
      "the renderer is there",
      page.includes("persimmon"),
      "JupyterLab's page names no extension of ours",
    );
  }
  const running = !ended();
  child.kill("SIGTERM");
  // npm itself ends at once; what matters is that the server does not stay behind.
  const stopDeadline = Date.now() + STOP_SECONDS * 1000;
  let answers = true;
  while ((answers || !ended()) && Date.now() < stopDeadline) {
    await sleep(100);
    answers = await get("api").then(
      () => true,
      () => false,
    );
  }
  if (running) {
    check("SIGTERM ends it", ended() && !answers, `JupyterLab still answers after ${STOP_SECONDS} s`);
  }

  mkdirSync(resultDirectory, { recursive: true });
  writeFileSync(join(resultDirectory, "start.json"), `${JSON.stringify(results, null, 2)}\n`);
  for (const { name, passed, message } of results) {
    process.stdout.write(`${passed ? "ok  " : "FAIL"}  ${name}${passed ? "" : `: ${message}`}\n`);
  }
  return results.every((result) => result.passed) ? 0 : 1;
}

exitOnSignal();
main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

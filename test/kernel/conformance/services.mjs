#!/usr/bin/env node
// Runs the kernel as JupyterLab does: a real Jupyter server, and JupyterLab's own client library. Each test has a kernel
// of its own. `node services.mjs --jupyter PROGRAM --prefix FOLDER [--json FILE] [NAME ...]`; a NAME is part of a test's
// name, and FILE gets the outcomes in addition to those that it holds.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { privateJupyterPrefix } from "../../../scripts/bootstrap/paths.mjs";
import { exitOnSignal } from "../../../scripts/run-notebooks/exit-on-signal.mjs";
import { JupyterServer } from "../../../scripts/run-notebooks/server.mjs";
import comms from "./services/comms.mjs";
import execution from "./services/execution.mjs";
import interrupts from "./services/interrupts.mjs";
import { TestKernel } from "./services/kernel.mjs";
import lifetime from "./services/lifetime.mjs";
import load from "./services/load.mjs";
import memory from "./services/memory.mjs";
import questions from "./services/questions.mjs";

const { KernelManager, ServerConnection } = createRequire(import.meta.url)("@jupyterlab/services");

const KERNEL_NAME = process.env.KERNEL_NAME ?? "persimmon";
const TEST_SECONDS = 240;

/** @typedef {(start: () => Promise<TestKernel>) => Promise<void>} Test */
/** @type {Record<string, Record<string, Test>>} */
const GROUPS = { execution, questions, comms, interrupts, lifetime, load, memory };

/**
 * @param {any} manager
 * @param {Test} test
 */
async function runTest(manager, test) {
  /** @type {TestKernel[]} */
  const kernels = [];
  const start = async () => {
    const kernel = await TestKernel.start(manager, KERNEL_NAME);
    kernels.push(kernel);
    return kernel;
  };
  const limit = new AbortController();
  try {
    await Promise.race([
      test(start),
      sleep(TEST_SECONDS * 1000, undefined, { signal: limit.signal }).then(() => {
        throw new Error(`not done after ${TEST_SECONDS} s`);
      }),
    ]);
  } finally {
    limit.abort();
    await Promise.all(kernels.map((kernel) => kernel.stop()));
  }
}

/**
 * @param {string} file
 * @param {object[]} outcomes
 */
function addToReport(file, outcomes) {
  const others = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify([...others, ...outcomes], null, 1)}\n`);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      jupyter: { type: "string", default: "jupyter" },
      prefix: { type: "string", default: privateJupyterPrefix },
      json: { type: "string" },
    },
  });
  const tests = Object.entries(GROUPS)
    .flatMap(([group, members]) =>
      Object.entries(members).map(([name, test]) => ({ name: `services ${group}: ${name}`, test })),
    )
    .filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
  if (tests.length === 0) {
    return 0;
  }
  const server = await JupyterServer.start({
    jupyter: values.jupyter,
    prefix: values.prefix,
    application: "server",
    restarts: 5, // Jupyter's own default
    // By default the server drops output beyond 1 MB a second, which is no matter of the kernel.
    options: ["--ZMQChannelsWebsocketConnection.limit_rate=False"],
  });
  const { baseUrl, token } = server;
  const serverSettings = ServerConnection.makeSettings({ baseUrl, token, appendToken: true });
  const manager = new KernelManager({ serverSettings });
  await manager.ready;
  /** @type {{ name: string, passed: boolean, message?: string }[]} */
  const outcomes = [];
  try {
    for (const { name, test } of tests) {
      const started = Date.now();
      try {
        await runTest(manager, test);
        outcomes.push({ name, passed: true });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        outcomes.push({ name, passed: false, message });
      }
      const { passed, message } = outcomes[outcomes.length - 1];
      process.stdout.write(
        `${name} (${Date.now() - started} ms) ... ${passed ? "ok" : `FAIL\n${message}`}\n`,
      );
    }
  } finally {
    manager.dispose();
    await server.stop();
    if (values.json !== undefined) {
      addToReport(values.json, outcomes);
    }
  }
  const failed = outcomes.filter(({ passed }) => !passed).length;
  process.stdout.write(`services: ${outcomes.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

exitOnSignal();

// The client library reports every connection that it opens, and that it lost one, which some tests mean.
console.debug = () => {};
console.warn = () => {};

main().then(
  // The clients' polls would keep the process alive for a while.
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);

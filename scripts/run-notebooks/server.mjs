import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { jupyterEnvironment } from "../bootstrap/jupyter.mjs";
import { root } from "../bootstrap/paths.mjs";
import { killTree } from "./process-tree.mjs";

const START_SECONDS = 90;
const STOP_SECONDS = 15;
const LOG_CHARACTERS = 20_000;

/** @returns {Promise<number>} a port that was free a moment ago */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/**
 * @typedef {object} ServerOptions
 * @property {string} jupyter the `jupyter` program
 * @property {string} prefix where our kernel is installed
 * @property {"server" | "lab" | keyof typeof GATEWAYS} application
 * @property {number} [restarts] how often a kernel that died is started again; by default it is reported as dead at once
 * @property {string[]} [options] further ones for the program
 * @property {Record<string, object>} [settings] JupyterLab's, by plugin such as `@jupyterlab/notebook-extension:tracker`
 */

/** Servers with kernels and nothing else, by their subcommand: the class of their options and the prefix of their variables. */
const GATEWAYS = /** @type {const} */ ({
  kernelgateway: { name: "KernelGatewayApp", variables: "KG" },
  enterprisegateway: { name: "EnterpriseGatewayApp", variables: "EG" },
});

/** A Jupyter server of our own on 127.0.0.1, with settings and run-time files of its own in a temporary folder. */
export class JupyterServer {
  /** @type {import("node:child_process").ChildProcess} */
  #child;
  #folder;
  #log = "";
  #onExit = () => killTree(this.#child.pid);

  /** @param {ServerOptions & { port: number }} options */
  constructor({ jupyter, prefix, application, port, restarts = 0, options = [], settings = {} }) {
    this.token = randomBytes(24).toString("hex");
    this.baseUrl = `http://127.0.0.1:${port}/`;
    this.#folder = mkdtempSync(join(tmpdir(), "persimmon-jupyter-"));
    this.#writeLabSettings(settings);
    const gateway = application === "server" || application === "lab" ? undefined : GATEWAYS[application];
    const name = gateway?.name ?? "ServerApp";
    const isRoot = process.getuid?.() === 0;
    const args = [
      application,
      `--${name}.ip=127.0.0.1`,
      `--${name}.port=${port}`,
      `--${name}.port_retries=0`,
      ...(gateway === undefined
        ? [
            "--no-browser",
            // Not started again behind our back, unless that is wanted.
            `--KernelRestarter.restart_limit=${restarts}`,
            `--ServerApp.root_dir=${root}`,
            ...(isRoot ? ["--allow-root"] : []),
          ]
        : []),
      ...options,
    ];
    this.#child = spawn(jupyter, args, {
      cwd: root,
      env: {
        // Cells run by a script are no inputs that a person would look for in the history.
        PERSIMMON_KERNEL_HISTORY: "",
        ...process.env,
        ...jupyterEnvironment(prefix),
        JUPYTER_TOKEN: this.token,
        ...(gateway && { [`${gateway.variables}_AUTH_TOKEN`]: this.token }),
        // The Enterprise Gateway starts no kernel for root unless somebody else is forbidden in its place.
        ...(isRoot && { EG_UNAUTHORIZED_USERS: "nobody" }),
        JUPYTER_CONFIG_DIR: join(this.#folder, "config"),
        JUPYTER_DATA_DIR: join(this.#folder, "data"),
        JUPYTER_RUNTIME_DIR: join(this.#folder, "runtime"),
      },
      stdio: ["ignore", "pipe", "pipe"],
      // Its own process group: Ctrl-C ends us first, and we end the server in order.
      detached: true,
    });
    const collect = (/** @type {Buffer} */ data) => {
      this.#log = (this.#log + data.toString()).slice(-LOG_CHARACTERS);
    };
    this.#child.stdout?.on("data", collect);
    this.#child.stderr?.on("data", collect);
    this.#child.on("error", collect);
    process.on("exit", this.#onExit);
  }

  /**
   * Starts a server and waits until it answers.
   * @param {ServerOptions} options
   * @returns {Promise<JupyterServer>}
   */
  static async start(options) {
    const server = new JupyterServer({ ...options, port: await freePort() });
    const deadline = Date.now() + START_SECONDS * 1000;
    while (!(await server.#answers())) {
      if (server.#child.exitCode !== null || Date.now() > deadline) {
        await server.stop();
        throw new Error(`the Jupyter server did not start within ${START_SECONDS} s:\n${server.#log}`);
      }
      await sleep(200);
    }
    return server;
  }

  /** @param {Record<string, object>} settings */
  #writeLabSettings(settings) {
    for (const [plugin, values] of Object.entries(settings)) {
      const [extension, name] = plugin.split(":");
      const folder = join(this.#folder, "config", "lab", "user-settings", extension);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${name}.jupyterlab-settings`), JSON.stringify(values));
    }
  }

  /** Its process. */
  get pid() {
    return this.#child.pid;
  }

  /** The last of what the server printed. */
  get log() {
    return this.#log;
  }

  async #answers() {
    try {
      const headers = { Authorization: `token ${this.token}` };
      return (await fetch(`${this.baseUrl}api/kernelspecs`, { headers })).ok;
    } catch {
      return false;
    }
  }

  /** Ends the server and its kernels, by force when it does not end by itself. */
  async stop() {
    process.off("exit", this.#onExit);
    const ended = () => this.#child.exitCode !== null || this.#child.signalCode !== null;
    if (!ended() && this.#child.pid !== undefined) {
      // SIGTERM makes Jupyter shut down its kernels first; SIGINT would make it ask.
      this.#child.kill("SIGTERM");
      const deadline = Date.now() + STOP_SECONDS * 1000;
      while (!ended() && Date.now() < deadline) {
        await sleep(50);
      }
      if (!ended()) {
        killTree(this.#child.pid);
      }
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

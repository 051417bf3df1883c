import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, createWriteStream, mkdirSync, statSync } from "node:fs";
import { constants as system } from "node:os";
import { delimiter, join, relative } from "node:path";
import { BootstrapError } from "./missing-tool.mjs";
import { logDirectory, root } from "./paths.mjs";

/** Lines of a failed command's output that are shown: some tools say what is wrong first, others last. */
const HEAD_LINES = 15;
const TAIL_LINES = 30;
const ORPHAN_POLL_MILLISECONDS = 500;

/**
 * Full path of a program on the PATH, or undefined.
 * @param {string} name
 * @param {string} [path]
 * @returns {string | undefined}
 */
export function which(name, path = process.env.PATH ?? "") {
  for (const directory of path.split(delimiter).filter((entry) => entry !== "")) {
    const candidate = join(directory, name);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) {
        return candidate;
      }
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}

/**
 * Runs a short command and returns its output, or undefined when it is missing or fails.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {string | undefined}
 */
export function query(command, args, { cwd, env } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: 60_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return result.status === 0 ? `${result.stdout}` : undefined;
}

/**
 * The beginning and the end of a long output, with the number of lines left out between them.
 * @param {string} output
 * @returns {string}
 */
export function excerpt(output) {
  const lines = output.trim().split("\n");
  const left = lines.length - HEAD_LINES - TAIL_LINES;
  if (left <= 0) {
    return lines.join("\n");
  }
  return [...lines.slice(0, HEAD_LINES), `… ${left} lines …`, ...lines.slice(-TAIL_LINES)].join("\n");
}

/**
 * Runs a long command with its output in `build/logs/<log>.log`; on failure an excerpt comes with the error.
 * @param {string} command
 * @param {string[]} args
 * @param {{ log: string, failure: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<void>}
 */
export function runLogged(command, args, { log, failure, env }) {
  mkdirSync(logDirectory, { recursive: true });
  const path = join(logDirectory, `${log}.log`);
  const file = createWriteStream(path);
  file.write(`$ ${[command, ...args].join(" ")}\n`);
  let output = "";
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const collect = (/** @type {Buffer} */ data) => {
      file.write(data);
      output += data.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", (error) => {
      file.end();
      reject(new BootstrapError(`${failure}: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      file.end();
      if (code === 0) {
        resolve();
      } else {
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        const where = relative(root, path);
        reject(new BootstrapError(`${failure} (${how}). All of its output is in ${where}.`, excerpt(output)));
      }
    });
  });
}

/**
 * Calls `act` when npm, which runs us through a shell, is gone: npm hands SIGTERM to that shell, which ends without
 * handing it on, and JupyterLab would stay behind.
 * @param {() => void} act
 * @returns {NodeJS.Timeout | undefined}
 */
function onOrphaned(act) {
  if (process.env.npm_lifecycle_event === undefined) {
    return undefined;
  }
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) {
      clearInterval(watch);
      act();
    }
  }, ORPHAN_POLL_MILLISECONDS);
  return watch;
}

/**
 * Runs a command on this terminal and returns its exit code; Ctrl-C and SIGTERM reach it and are left to it.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function runAttached(command, args, { env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: "inherit" });
    // The terminal sends Ctrl-C to the whole group, so the child has it already; SIGTERM comes to us alone.
    const ignore = () => {};
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", ignore);
    process.on("SIGTERM", forward);
    const watch = onOrphaned(forward);
    child.on("error", (error) =>
      reject(new BootstrapError(`${command} could not be started: ${error.message}`)),
    );
    child.on("close", (code, signal) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", forward);
      clearInterval(watch);
      resolve(code ?? 128 + (signal === null ? 0 : system.signals[signal]));
    });
  });
}

import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "./paths.mjs";

/** A crashed breaker's mark is passed over after this time; breaking takes well under a second. */
const BREAK_MILLISECONDS = 10_000;

/**
 * @param {number} pid
 * @returns {boolean}
 */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to another user.
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/**
 * Process that holds the lock; undefined when nobody does.
 * @param {string} path
 * @returns {number | undefined}
 */
export function lockHolder(path) {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    return Number.isInteger(pid) && pid > 0 && isAlive(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock if it is free. The file appears with its content in one step (a hard link), so a reader never sees it
 * empty.
 * @param {string} path
 * @returns {boolean}
 */
function tryLock(path) {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, `${process.pid}`);
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") {
      throw error;
    }
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

/**
 * Removes a lock whose holder died. Under a mark of its own: without it, two that wait could each remove one file, the
 * second of them the other's new lock.
 * @param {string} path
 */
function breakDeadLock(path) {
  const mark = `${path}.break`;
  try {
    if (Date.now() - statSync(mark).mtimeMs > BREAK_MILLISECONDS) {
      rmSync(mark, { force: true });
    }
  } catch {
    // No mark: the usual case.
  }
  try {
    writeFileSync(mark, "", { flag: "wx" });
  } catch {
    return;
  }
  try {
    if (lockHolder(path) === undefined) {
      rmSync(path, { force: true });
    }
  } finally {
    rmSync(mark, { force: true });
  }
}

/**
 * Runs `work` while holding the lock file; waits for another process that holds it. A lock left by a process that died
 * is broken.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ onWait?: (pid: number) => void, pollMilliseconds?: number }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { onWait = () => {}, pollMilliseconds = 250 } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  while (!tryLock(path)) {
    const holder = lockHolder(path);
    if (holder === undefined) {
      breakDeadLock(path);
    } else if (!told) {
      told = true;
      onWait(holder);
    }
    await sleep(pollMilliseconds);
  }
  const release = () => rmSync(path, { force: true });
  process.on("exit", release);
  try {
    return await work();
  } finally {
    release();
    process.off("exit", release);
  }
}

/**
 * Runs `work` while no other process builds in this folder.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export function locked(work) {
  const file = join(root, "build", "bootstrap.lock");
  return withLock(file, work, {
    onWait: (pid) =>
      process.stderr.write(`waiting for another build in this folder (process ${pid}, ${file})\n`),
  });
}

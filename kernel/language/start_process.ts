import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { LANGUAGE_PROCESS_VARIABLE, type LanguageProcessData } from "./process_data.js";

/**
 * Starts the language process. It is a process, not a thread, because only a process can start from a snapshot.
 * It leads a process group of its own, so that a SIGINT for the kernel's group does not reach it, and ends when the
 * kernel hangs up or has died.
 *
 * @param snapshot the startup snapshot; without one the process reads the compiler first
 */
export function startLanguageProcess(data: LanguageProcessData, snapshot?: string): ChildProcess {
  const entry = join(data.packageRoot, "dist", "kernel", "language", "process.js");
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, snapshot ? ["--snapshot-blob", snapshot] : [entry], {
    cwd: data.folder,
    env: { ...env, [LANGUAGE_PROCESS_VARIABLE]: JSON.stringify(data) },
    stdio: ["ignore", "inherit", "inherit"],
    detached: process.platform !== "win32",
  });
  child.on("error", () => {}); // "exit" or the missing connection says the same
  child.unref();
  return child;
}

import { spawn } from "node:child_process";
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/*
 * The startup snapshot of the language process: its heap with the compiler loaded and the standard library parsed, in
 * a file. A process that starts from it compiles its first cell after 0.2 s instead of 1.1 s. It belongs to one version
 * of Node, and is made anew when the compiler or the kernel is newer.
 */

/** The snapshot for this Node, or undefined when it has not been made or is out of date. */
export function snapshotFile(packageRoot: string): string | undefined {
  const file = pathOf(packageRoot);
  try {
    const made = statSync(file).mtimeMs;
    const language = join(packageRoot, "dist", "kernel", "language");
    const sources = [
      join(packageRoot, "node_modules", ".package-lock.json"),
      ...readdirSync(language).map((name) => join(language, name)),
    ];
    return sources.every((source) => !isNewer(source, made)) ? file : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes the snapshot, in a process of its own: about 2 s.
 * @param background give way to everything else on the machine
 * @returns why it could not be made, or undefined when it was
 */
export async function makeSnapshot(packageRoot: string, background = false): Promise<string | undefined> {
  const file = pathOf(packageRoot);
  const unfinished = `${file}.unfinished`;
  // Ten kernels that start together need not make ten of them.
  if (Date.now() - (statSync(unfinished, { throwIfNoEntry: false })?.mtimeMs ?? 0) < 30_000)
    return "another one is being made";
  writeFileSync(unfinished, "");
  const entry = join(packageRoot, "kernel", "language", "snapshot_entry.cjs");
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(
    process.execPath,
    ["--no-warnings", "--snapshot-blob", unfinished, "--build-snapshot", entry],
    { env: { ...env, PERSIMMON_PACKAGE_ROOT: packageRoot }, stdio: ["ignore", "ignore", "pipe"] },
  );
  if (background && child.pid !== undefined) setLowPriority(child.pid);
  let messages = "";
  child.stderr.on("data", (text) => {
    messages += text;
  });
  const code = await new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", resolve);
  });
  try {
    if (code !== 0) return `${code}: ${messages.trim().split("\n").slice(-5).join("\n")}`;
    renameSync(unfinished, file);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function pathOf(packageRoot: string): string {
  const name = `language-${process.version}-${process.platform}-${process.arch}.snapshot`;
  return join(packageRoot, "dist", "kernel", name);
}

function isNewer(file: string, than: number): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > than;
}

function setLowPriority(pid: number): void {
  try {
    process.getBuiltinModule("node:os").setPriority(pid, 19);
  } catch {
    // It has ended already.
  }
}

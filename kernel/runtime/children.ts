import childProcess, { type ChildProcess } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import type { StreamName } from "../server/stream_batch.js";
import { Task, type Tasks } from "./tasks.js";

type AnyFunction = (...parameters: unknown[]) => unknown;

/**
 * Child processes that inherit descriptors 1 and 2. One that runs beside the cell gets pipes of its own instead, whose
 * text belongs to the cell that started it even when that has long ended; its events are handled as that cell's code. One
 * that the cell waits for writes into the kernel's own pipes: the server reads them before and after it, so that its text
 * keeps its place.
 *
 * @param write prints text as the given task
 * @param settle waits until the server has taken in everything that was printed so far
 */
export function captureChildren(
  tasks: Tasks,
  write: (name: StreamName, text: string) => void,
  settle: () => void,
): void {
  const prototype = childProcess.ChildProcess.prototype as unknown as { spawn: AnyFunction };
  const spawn = prototype.spawn;
  prototype.spawn = function (this: ChildProcess, options: unknown) {
    const task = new Task(tasks.parent);
    const { stdio, inherited } = separate((options as { stdio?: unknown } | undefined)?.stdio);
    const emit = this.emit;
    this.emit = (...parameters: unknown[]) =>
      tasks.callback(task, () => (emit as AnyFunction).apply(this, parameters)) as boolean;
    if (inherited.length === 0) return spawn.call(this, options);
    const result = spawn.call(this, { ...(options as object), stdio });
    for (const { index, name } of inherited) {
      const stream = this.stdio[index];
      if (stream && "setEncoding" in stream) {
        stream.setEncoding("utf8");
        stream.on("data", (text: string) => tasks.as(task, () => write(name, text)));
      }
      // To its owner the child has no such streams: it inherits.
      (this.stdio as unknown[])[index] = null;
      if (index === 1) this.stdout = null;
      if (index === 2) this.stderr = null;
    }
    return result;
  };
  for (const name of ["spawnSync", "execSync", "execFileSync"] as const) {
    const original = childProcess[name] as AnyFunction;
    const wrapped = (...parameters: unknown[]) => {
      settle();
      try {
        return original(...parameters);
      } finally {
        settle();
      }
    };
    Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(original));
    Object.assign(childProcess, { [name]: wrapped });
  }
  syncBuiltinESMExports();
}

/** The stdio option of a spawn with pipes in the places that lead to descriptors 1 and 2 of this process. */
function separate(stdio: unknown): { stdio: unknown; inherited: { index: number; name: StreamName }[] } {
  const list = typeof stdio === "string" ? [stdio, stdio, stdio] : Array.isArray(stdio) ? [...stdio] : [];
  const inherited: { index: number; name: StreamName }[] = [];
  for (const [index, item] of list.entries()) {
    const name = index === 0 ? undefined : nameOf(item, index);
    if (!name) continue;
    inherited.push({ index, name });
    list[index] = "pipe";
  }
  return { stdio: list, inherited };
}

function nameOf(item: unknown, index: number): StreamName | undefined {
  const target = item === "inherit" ? index : typeof item === "number" ? item : fdOf(item);
  if (target === 1) return "stdout";
  return target === 2 ? "stderr" : undefined;
}

function fdOf(item: unknown): number | undefined {
  if (item === process.stdout) return 1;
  return item === process.stderr ? 2 : undefined;
}

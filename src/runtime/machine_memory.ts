import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import type { Device } from "../tensor/device.js";

/** One thing that bounds what this process may take. */
export interface MemoryLimit {
  /** Bytes that can still be taken. */
  free: number;
  /** What says so: "memory.max of the control group /user.slice". */
  from: string;
}

/** What a process can have. */
export interface MachineMemory {
  /** Memory: the scarcest of the machine's and its control groups'. */
  memory: MemoryLimit;
  /** Address space (`ulimit -v`), where it is limited. */
  addressSpace: MemoryLimit | undefined;
}

/** The text of a file, undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

/**
 * What memory there is for this process now. On Linux: MemAvailable of /proc/meminfo, which counts what the system can take
 * back, the limits of its control groups (versions 2 and 1) and of `ulimit -v`; elsewhere what the system calls free.
 * @param read reads a file of /proc or /sys; tests give their own
 */
export function machineMemory(read: ReadText = readText, platform = process.platform): MachineMemory {
  const free = { free: freemem(), from: "free memory of the system" };
  if (platform !== "linux") return { memory: free, addressSpace: undefined };
  const available = kibibytes(read("/proc/meminfo"), "MemAvailable");
  const machine = available === undefined ? free : { free: available, from: "MemAvailable of the machine" };
  const limits = [machine, ...controlGroupLimits(read)];
  const memory = limits.reduce((least, limit) => (limit.free < least.free ? limit : least));
  return { memory, addressSpace: addressSpace(read) };
}

/** What memory there is now on a GPU, or on several that take equal parts. */
export function gpuMemory(devices: readonly Device[]): MachineMemory {
  const gpus = devices.map((device) => device.gpu!);
  const { name, freeBytes } = gpus.reduce((least, gpu) => (gpu.freeBytes < least.freeBytes ? gpu : least));
  const from = `free memory of the ${name}${gpus.length > 1 ? `, times ${gpus.length} GPUs` : ""}`;
  return { memory: { free: gpus.length * freeBytes, from }, addressSpace: undefined };
}

/** Limits of the control groups that this process is in, and of those around them. */
function controlGroupLimits(read: ReadText): MemoryLimit[] {
  const limits: MemoryLimit[] = [];
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const version =
      controllers === "" ? second : controllers.split(",").includes("memory") ? first : undefined;
    if (version === undefined) continue;
    const names = path.split("/").filter((name) => name !== "");
    // Up to the root, which inside of a container has the limits of the container.
    for (let depth = names.length; depth >= 0; depth--) {
      const group = `/${names.slice(0, depth).join("/")}`;
      const free = freeIn(read, join(version.root, group), version);
      if (free !== undefined) limits.push({ free, from: `${version.limit} of the control group ${group}` });
    }
  }
  return limits;
}

/** Files of a control group: its limit, what it uses, and of that the pages of files, which can be taken back. */
interface ControlGroupVersion {
  root: string;
  limit: string;
  usage: string;
  files: readonly string[];
}

const second: ControlGroupVersion = {
  root: "/sys/fs/cgroup",
  limit: "memory.max",
  usage: "memory.current",
  files: ["inactive_file", "active_file"],
};

const first: ControlGroupVersion = {
  root: "/sys/fs/cgroup/memory",
  limit: "memory.limit_in_bytes",
  usage: "memory.usage_in_bytes",
  files: ["total_inactive_file", "total_active_file"],
};

function freeIn(read: ReadText, folder: string, version: ControlGroupVersion): number | undefined {
  const number = (name: string) => {
    const text = read(join(folder, name))?.trim();
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  const limit = number(version.limit);
  // "max", or in version 1 the largest number of pages there is: no limit.
  if (limit === undefined || limit > 2 ** 60) return undefined;
  const stat = read(join(folder, "memory.stat")) ?? "";
  const files = version.files.reduce(
    (sum, name) => sum + Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1] ?? 0),
    0,
  );
  return Math.max(0, limit - (number(version.usage) ?? 0) + files);
}

function addressSpace(read: ReadText): MemoryLimit | undefined {
  const limit = /^Max address space +(\d+) /m.exec(read("/proc/self/limits") ?? "")?.[1];
  const used = kibibytes(read("/proc/self/status"), "VmSize");
  if (limit === undefined || used === undefined) return undefined;
  return { free: Math.max(0, Number(limit) - used), from: "address space (ulimit -v)" };
}

/** A line such as `MemAvailable:   21992 kB`, in bytes. */
function kibibytes(text: string | undefined, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1];
  return found === undefined ? undefined : 1024 * Number(found);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
